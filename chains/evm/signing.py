"""From an envelope to raw bytes, and from structured data to a signature, whoever signs; what comes
back is checked before it is used."""

from chains.evm.envelope import Envelope, signer_of, split
from chains.evm.typed_data import TypedData
from core.errors import Reason, Refused
from core.ports import MessageSigner, Signer, TransactionSigner


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


async def signed_message(signer: Signer, owner: str, message: TypedData) -> tuple[int, int, int]:
    """r, s and parity (0 or 1) of the owner's signature. Raises as `signed`."""
    digest = message.digest()
    if isinstance(signer, MessageSigner):
        signature = await signer.sign_typed_data(owner, message.preimage())
    else:
        signature = await signer.sign("evm", owner, digest)
    try:
        parts, found = split(signature), signer_of(digest, signature)
    except ValueError as error:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            f"the signer's answer is no signature of structured data ({error}): nothing was sent; "
            "use the exact approval, which is a transaction",
            {"address": owner, "capability": "sign structured data"},
        ) from error
    if found != owner:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            f"the signer of {owner} signs structured data otherwise than EIP-712 has it: nothing "
            "was sent; use the exact approval, which is a transaction",
            {"address": owner, "capability": "sign structured data"},
        )
    return parts
