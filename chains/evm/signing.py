"""From an envelope to raw bytes, whoever signs; what comes back is checked before it is used."""

from chains.evm.envelope import Envelope, signer_of
from core.errors import Reason, Refused
from core.ports import Signer, TransactionSigner


async def signed(signer: Signer, sender: str, envelope: Envelope) -> bytes:
    """The raw transaction, whose signature is the sender's. Raises Refused; CambistError when a
    signer elsewhere does not answer."""
    digest = envelope.digest()
    if isinstance(signer, TransactionSigner):
        signature = await signer.sign_transaction("evm", sender, envelope.unsigned())
    else:
        signature = await signer.sign("evm", sender, digest)
    try:
        raw, found = envelope.signed(signature), signer_of(digest, signature)
    except ValueError as error:
        raise Refused(Reason.INTERNAL, f"the signer's answer is no signature: {error}") from error
    if found != sender:
        raise Refused(Reason.INTERNAL, f"the signer signed for {found}, not for {sender}")
    return raw
