"""Every setting with its default; the sample file is written from these descriptions."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.money import parse


def _plain_decimal(text: str) -> str:
    parse(text)
    return text


DecimalText = Annotated[str, AfterValidator(_plain_decimal)]


class Section(BaseModel):
    """A table of the file. A key that is not known is an error: a misspelt limit must not pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Section):
    """How clients reach the daemon."""

    tcp: str = Field(
        "127.0.0.1:7177",
        description='Address for TCP; port 0 takes a free one, "off" none.',
    )
    security: Literal["auto", "tls", "none"] = Field(
        "auto",
        description='Over TCP: "tls" asks every caller for a token; "none" is plaintext without '
        'tokens, on loopback only; "auto" is "none" for the sandbox, else "tls".',
    )
    names: list[str] = Field(
        default_factory=list,
        description="Host names and addresses for the certificate, beside those of loopback.",
    )
    client_certificates: str = Field(
        "",
        description="A PEM file with the authorities of client certificates: then TLS asks for one "
        "as well (mutual TLS).",
    )
    unix_socket: bool = Field(
        True, description="Whether to listen on cambist.sock in the data directory."
    )
    metrics: str = Field(
        "off",
        description="Loopback address of GET /metrics for Prometheus, such as 127.0.0.1:7178; "
        '"off" for none.',
    )
    traces: str = Field(
        "", description="An OTLP endpoint (HTTP) for OpenTelemetry traces; empty for none."
    )
    heartbeat_seconds: int = Field(10, ge=1, le=300, description="The longest silence of a stream.")
    calls_per_second: int = Field(
        0,
        ge=0,
        description="What each caller may ask for at most, by its token's root, or by its "
        "connection where it has no token. What is above waits, or is RATE_LIMITED. 0: no bound; "
        "callers take turns in any case.",
    )


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description='"debug", "info", "warning" or "error".'
    )
    format: Literal["console", "json"] = Field(
        "console", description='"console" for people, "json" for machines.'
    )


class JournalSettings(Section):
    """The record of every intent and event."""

    synchronous: Literal["full", "normal"] = Field(
        "full",
        description='"full" survives a power cut; "normal" only the death of the daemon, '
        "and is faster.",
    )
    keep_days: int = Field(
        0,
        ge=0,
        description="For how many days events are kept (orders and fills always are); 0: for ever.",
    )


class SignerSettings(Section):
    """One service that holds keys of EVM wallets: web3signer, or what speaks its eth1 API."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,19}$", description="Its name, your choice.")
    url: str = Field(pattern=r"^https?://", description="Where it is.")
    wallets: dict[str, str] = Field(
        default_factory=dict,
        description="Names for its keys: name = address. Others are named by their address.",
    )
    ca_file: str = Field("", description="Who may vouch for its certificate; empty: the system's.")
    certificate_file: str = Field("", description="Our certificate, where it asks for one.")
    key_file: str = Field("", description="The certificate's key.")


class WalletSettings(Section):
    """Encrypted keystores."""

    passphrase_file: str = Field(
        "",
        description="A file with the passphrase, readable by its owner only, to unlock keys at "
        "start. Empty: 'cambist unlock', --passphrase-fd, or systemd's credential "
        "cambist-passphrase.",
    )
    passphrase_keyring: str = Field(
        "",
        description='Where it is in the keyring of the operating system: "service/user".',
    )
    signers: list[SignerSettings] = Field(
        default_factory=list,
        description='Services that hold keys: { name = "hsm", url = "https://127.0.0.1:9000" }.',
    )


class SandboxSettings(Section):
    """The sandbox profile: pretended money, local chains."""

    seed: int = Field(1, ge=0, description="The seed of the simulated market.")
    evm: bool = Field(True, description="Whether to start the local EVM chain; needs Node.js.")
    solana: bool = Field(True, description="Whether to start the local Solana chain.")


class VenueSettings(Section):
    """One exchange."""

    enabled: bool = Field(True, description="Whether the daemon connects to it.")
    hosts: dict[str, str] = Field(
        default_factory=dict,
        description="Other hosts than the venue's own, by name: rest, stream, ws_api.",
    )


class NetworkSettings(Section):
    """One blockchain."""

    enabled: bool = Field(True, description="Whether the daemon connects to it.")
    urls: list[str] = Field(
        default_factory=list,
        description="RPC nodes, http(s) and ws(s); empty: the public ones of Cambist's table.",
    )
    private_urls: list[str] = Field(
        default_factory=list,
        description="Nodes that pass transactions to block builders and to nobody else, for "
        "requests that ask for the private route; empty: those of Cambist's table, if any.",
    )
    quorum: int = Field(
        1,
        ge=1,
        le=16,
        description="How many nodes must say the same of balances and receipts.",
    )
    requests_per_second: int = Field(
        0,
        ge=0,
        le=100_000,
        description="How many requests each node is sent in a second, whoever asks; "
        "transactions never wait; 0: as many as there are.",
    )
    max_fee: DecimalText = Field(
        "0",
        description="The most that one transaction may cost, in the native coin, also where "
        "its request names no cap; 0: no cap but the request's.",
    )
    finality_depth: int = Field(
        -1,
        ge=-1,
        le=100_000,
        description="After how many blocks a transaction counts as final; -1: what the table has.",
    )


class AccountSettings(Section):
    """One account on one exchange."""

    id: str = Field(pattern=r"^[a-z0-9_-]{1,64}$", description="Its name, of your choice.")
    venue: str = Field(description="The exchange's id.")
    paper: bool = Field(
        False, description="Trade with pretended money against the exchange's live book."
    )
    balances: dict[str, DecimalText] = Field(
        default_factory=dict, description="What a paper account begins with."
    )
    credentials_file: str = Field(
        "",
        description="A TOML file with api_key and secret (and passphrase), readable by its owner "
        "only.",
    )


def _live_venues() -> dict[str, VenueSettings]:
    return {"binance": VenueSettings()}


def _live_networks() -> dict[str, NetworkSettings]:
    off = NetworkSettings(enabled=False)
    return {
        "ethereum": NetworkSettings(),
        "avalanche": NetworkSettings(),
        "harmony": off,
        "polygon": off,
        "arbitrum": off,
        "base": off,
        "optimism": off,
        "bnb": off,
        "celo": off,
        "solana": off,
        "sepolia": off,
        "fuji": off,
        "harmony_testnet": off,
        "polygon_amoy": off,
        "arbitrum_sepolia": off,
        "base_sepolia": off,
        "optimism_sepolia": off,
        "bnb_testnet": off,
        "celo_sepolia": off,
        "solana_devnet": off,
    }


RiskRule = Literal[
    "order_quantity",
    "order_notional",
    "open_orders",
    "order_rate",
    "position",
    "position_notional",
    "day_notional",
    "day_loss",
    "price_band",
    "slippage",
]


class RiskLimitSettings(Section):
    """A limit over all bots; empty fields mean all."""

    rule: RiskRule = Field(description="What is limited: see docs/guides/risk.md.")
    limit: DecimalText = Field(description="The most that is allowed.")
    asset: str = Field(
        "", description="Only orders whose base or quote (as the rule has it) is this."
    )
    venue: str = Field("", description="Only this venue.")
    account: str = Field("", description="Only this account.")
    instrument: str = Field("", description="Only this instrument.")
    token_root: str = Field("", description="Only the bot whose tokens have this root.")


class RiskSettings(Section):
    """What may be sent at all, whoever asks; changes are in force at once, without a restart."""

    self_trade: Literal["refuse", "allow"] = Field(
        "refuse",
        description="Whether an order that would trade with another of this daemon is refused.",
    )
    limits: list[RiskLimitSettings] = Field(
        default_factory=list,
        description='Such as { rule = "order_notional", limit = "5000", account = "main" }.',
    )


class Settings(Section):
    """The whole file."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    wallets: WalletSettings = Field(default_factory=WalletSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    risk: RiskSettings = Field(default_factory=RiskSettings)
    venues: dict[str, VenueSettings] = Field(default_factory=_live_venues)
    networks: dict[str, NetworkSettings] = Field(default_factory=_live_networks)
    accounts: list[AccountSettings] = Field(default_factory=list)


def home() -> Path:
    """Where profiles keep their data: $CAMBIST_HOME, or ~/.cambist."""
    import os

    return Path(os.environ.get("CAMBIST_HOME") or Path.home() / ".cambist")
