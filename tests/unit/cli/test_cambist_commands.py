"""Every command against a real server: as a table, as JSON, and what it asks for."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from cambist.v1 import chains_pb2, sandbox_pb2, swaps_pb2, trading_pb2
from core.errors import Reason, Refused
from daemon.cli.cambist import main
from tests.support.fake_daemon import FakeDaemon
from tests.unit.cli.answers import HASH, NOW, ORDER, POOL_VENUE
from tests.unit.cli.conftest import Run

# command -> words that its table must have
READS = {
    "status": ["sandbox is ready", "no answer"],
    "venues": ["paper", "green", "yellow", "down: no answer"],
    "venues paper": ["2026-11-22", "limit, market, order_book"],
    "instruments": ["ETH-USDC", "0.0001"],
    "instruments paper --base ETH --quote USDC": ["trading"],
    "instruments paper ETH-USDC": ["price tick", "0.01"],
    "limits": ["6000", "1m"],
    "book paper ETH-USDC --depth 2": ["live", "2999.5", "3000.5"],
    "ticker paper ETH-USDC": ["bid price", "2999.5"],
    "trades paper ETH-USDC": ["sell", "3000"],
    "candles paper ETH-USDC -i 1m": ["2023-11-14", "1.5"],
    "candles paper ETH-USDC --start 2026-01-01 --end 2026-01-02": ["100"],
    "funding paper ETH-USDC-PERP": ["0.0001", "mark price"],
    "funding --payments": ["-0.5"],
    "order list": ["c0ffee", "partially_filled"],
    "order list --open --account paper": ["2900.1"],
    "order show c0ffee": ["venue order id", "77"],
    "order show r1": ["c0ffee"],
    "order show 77": ["c0ffee"],
    "fills": ["1.45", "USDC"],
    "explain c0ffee": ["to paper"],
    "account list": ["paper_perpetual", "trader"],
    "account show paper": ["ready"],
    "balances": ["97099.9", "ethereum_local", "12.345678"],
    "balances trader --network ethereum_local": ["12.345678"],
    "positions": ["-2", "ETH-USDC-PERP"],
    "fees paper ETH-USDC": ["taker", "0.0005"],
    "events": ["fill", "all is well"],
    "networks": ["ethereum_local", "evm"],
    "networks ethereum_local": ["31337"],
    "tokens ethereum_local": ["USD Coin"],
    "tokens ethereum_local USDC": ["decimals", "6"],
    f"transaction ethereum_local {HASH}": ["included", "0.00021"],
    f"transaction show ethereum_local {HASH} --wait": ["included"],
    "transactions --network ethereum_local --pending": ["broadcast"],
    "gas ethereum_local": ["slow", "0.00002"],
    "wallet list": ["trader", "evm"],
    "wallet approvals ethereum_local": ["USDC", "0x9"],
    f"pools {POOL_VENUE}": ["WETH-USDC", "50 ETH"],
    f"pools {POOL_VENUE} WETH-USDC": ["0.003"],
    f"quote {POOL_VENUE} ETH USDC 1": ["2931.123456 USDC", "at the least out"],
    f"swap {POOL_VENUE} ETH USDC 1 --dry-run": ["it would succeed"],
    "sandbox faults": ["rate_limit", "place", "0.5s"],
}
# command -> the request that it must make
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "order place paper ETH-USDC buy 1.5 --price 2900 --request-id x": (
        "place_order",
        {"request_id": "x", "dry_run": False},
    ),
    "order place paper ETH-USDC sell 1 --market --dry-run": ("place_order", {"dry_run": True}),
    "order replace c0ffee --quantity 3": (
        "replace_order",
        {"account": "paper", "client_order_id": "c0ffee", "quantity": "3", "price": "2900.1"},
    ),
    "order cancel c0ffee": ("cancel_order", {"account": "paper", "client_order_id": "c0ffee"}),
    "order cancel --all --instrument ETH-USDC": (
        "cancel_all_orders",
        {"account": "paper", "venue": "paper", "instrument": "ETH-USDC"},
    ),
    "account add demo paper --paper": ("add_account", {"account": "demo", "paper": True}),
    "account remove demo --yes": ("remove_account", {"account": "demo"}),
    "account leverage paper ETH-USDC-PERP 5": (
        "set_leverage",
        {"account": "paper", "leverage": "5"},
    ),
    "account margin-mode paper ETH-USDC-PERP isolated": ("set_margin_mode", {"margin_mode": 2}),
    "account position-mode paper one-way": ("set_position_mode", {"position_mode": 1}),
    "tokens add ethereum_local 0x1": ("add_token", {"address": "0x1"}),
    "tokens remove ethereum_local 0x1": ("remove_token", {"address": "0x1"}),
    f"transaction speed-up ethereum_local {HASH} --speed fast --max-fee 0.01": (
        "speed_up_transaction",
        {"hash": HASH},
    ),
    f"transaction cancel ethereum_local {HASH} --yes": ("cancel_transaction", {"hash": HASH}),
    "wallet add cold --family solana": ("create_wallet", {"name": "cold", "family": 2}),
    "wallet import eye --watch 0x1": ("import_wallet", {"watch_address": "0x1"}),
    "wallet remove cold --yes": ("remove_wallet", {"name": "cold"}),
    "wallet default second": ("set_default_wallet", {"name": "second"}),
    "wallet lock": ("lock_wallets", {}),
    "wallet send ethereum_local 0x2 1.5 --token USDC --yes": (
        "transfer",
        {"wallet": "trader", "to": "0x2", "amount": "1.5", "token": "USDC"},
    ),
    "wallet wrap ethereum_local 1": ("wrap", {"wallet": "trader", "amount": "1"}),
    "wallet unwrap ethereum_local 1 --wallet second --wait": ("unwrap", {"wallet": "second"}),
    "wallet wrap ethereum_local 2 --yes --speed fast --route public --unit-price 0.1 --max-fee 1": (
        "wrap",
        {"amount": "2"},
    ),
    "wallet unwrap ethereum_local 2 --yes --request-id again": ("unwrap", {"request_id": "again"}),
    f"wallet approve {POOL_VENUE} USDC 6 --yes --wait": ("approve", {"amount": "6"}),
    f"wallet approve {POOL_VENUE} USDC 5": ("approve", {"wallet": "trader", "amount": "5"}),
    f"swap {POOL_VENUE} ETH USDC 1 --yes --wait": ("swap", {"wallet": "trader", "quote_id": "q1"}),
    f"swap {POOL_VENUE} ETH USDC 1 --yes --approval eip2612": (
        "swap",
        {"approval": swaps_pb2.APPROVAL_METHOD_EIP2612},
    ),
    "stop": ("shutdown", {}),
    "sandbox fault rate-limit --venue paper --times 2 --delay 0.25 --request-id f": (
        "add_fault",
        {
            "request_id": "f",
            "fault": sandbox_pb2.Fault(
                kind=sandbox_pb2.FAULT_KIND_RATE_LIMIT,
                venue="paper",
                times=2,
                delay=Duration(nanos=250_000_000),
            ),
        },
    ),
    "sandbox fault drop-fill -a paper --operation place --instrument ETH-USDC": (
        "add_fault",
        {
            "fault": sandbox_pb2.Fault(
                kind=sandbox_pb2.FAULT_KIND_DROP_FILL,
                account="paper",
                operation="place",
                instrument="ETH-USDC",
            )
        },
    ),
    "sandbox heal": ("clear_faults", {}),
}
STREAMS = [
    "status",
    "book paper ETH-USDC",
    "ticker paper ETH-USDC",
    "trades paper ETH-USDC",
    "candles paper ETH-USDC",
    "funding paper ETH-USDC-PERP",
    f"quote {POOL_VENUE} ETH USDC 1",
    "events",
]


@pytest.mark.parametrize("command", READS)
async def test_tables_fit_and_say_what_is_there(run: Run, command: str) -> None:
    result = await run(*command.split())
    assert result.code == 0, result.err
    for words in READS[command]:
        assert words in result.out, result.out
    if command != "events":  # a line an event, whatever its length
        assert max(map(len, result.out.splitlines())) <= 80, result.out


@pytest.mark.parametrize("command", READS)
async def test_json_is_one_document(run: Run, command: str) -> None:
    result = await run(*command.split(), "--json")
    assert result.code == 0, result.err
    assert result.json, result.out


@pytest.mark.parametrize("command", WRITES)
@pytest.mark.parametrize("as_json", [False, True])
async def test_what_is_asked_of_the_daemon(
    run: Run, daemon: FakeDaemon, command: str, as_json: bool
) -> None:
    result = await run(*command.split(), *(["--json"] if as_json else []))
    assert result.code == 0, result.err
    if as_json:
        assert isinstance(result.json, dict | list)
    else:
        assert result.out.strip()
    method, expected = WRITES[command]
    (request,) = daemon.of(method)
    assert {name: getattr(request, name) for name in expected} == expected


@pytest.mark.parametrize("command", STREAMS)
async def test_streams_give_a_json_line_each(run: Run, command: str) -> None:
    result = await run(*command.split(), "--watch", "--json")
    assert result.code == 1  # the test's streams end with an error
    assert "the test ends here" in result.err
    assert all(isinstance(line, dict) for line in result.lines)
    assert result.lines


@pytest.mark.parametrize("command", STREAMS)
async def test_streams_are_shown_to_people(run: Run, command: str) -> None:
    result = await run(*command.split(), "--watch")
    assert result.out.strip()
    assert "the test ends here" in result.err


@pytest.mark.parametrize(
    "words", ["nonsense", "delay --delay -1", "delay --delay nan", "delay --delay 1e9", "delay -n"]
)
async def test_faults_that_cannot_be(run: Run, daemon: FakeDaemon, words: str) -> None:
    assert (await run("sandbox", "fault", *words.split())).code == 2
    assert daemon.of("add_fault") == []


async def test_venues_as_scripts_read_them(run: Run) -> None:
    paper, pool = (await run("venues", "--json")).json
    assert paper["id"] == "paper"
    assert paper["kind"] == "spot"
    assert paper["standing"] == "green"
    assert paper["capabilities"] == ["limit", "market", "order_book"]
    assert paper["condition"]["since"] == "2023-11-14T22:13:20.123000Z"
    assert paper["clock_offset"] == 0.0015
    assert pool["kind"] == "pool"
    assert pool["condition"]["health"] == "down"


async def test_numbers_in_json_are_exact_strings(run: Run) -> None:
    usdc = (await run("balances", "--json")).json[1]
    assert usdc["total"] == "12.345678"
    assert usdc["units"] == "12345678"
    quote = (await run("quote", POOL_VENUE, "ETH", "USDC", "1", "--json")).json
    assert quote["price_impact"] == "0.019607843137254901960784313725490196"
    assert quote["amount_in"]["units"] == "1000000000000000000"


async def test_balances_name_what_is_missing_and_leave_zero_out(run: Run) -> None:
    result = await run("balances")
    assert "DUST" not in result.out
    assert "binance is silent" in result.err
    assert "DUST" in (await run("balances", "--all")).out


async def test_events_in_json_have_only_their_payload(run: Run) -> None:
    first, second, third = (await run("events", "--json")).json
    assert set(first) == {"sequence", "time", "order"}
    assert second["fill"]["details"] == {"block": "7"}
    assert third["account_notice"]["kind"] == "reconciled"


async def test_events_say_how_to_go_on(run: Run, daemon: FakeDaemon) -> None:
    result = await run("events", "--resume", "t1")
    assert "cambist events --resume t3" in result.err
    assert daemon.of("stream_events")[0].resume_token == "t1"
    assert (await run("events", "--resume", "t1", "--from-start")).code == 2


async def test_errors_are_words_that_help(run: Run) -> None:
    result = await run("venues", "papper")
    assert result.code == 1
    assert "did you mean 'paper'" in result.err
    assert "see: cambist venues" in result.err
    assert result.out == ""


async def test_locked_wallets_say_how_to_unlock_them(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["create_wallet"] = Refused(Reason.WALLETS_LOCKED, "the store is locked")
    result = await run("wallet", "add", "main")
    assert result.code == 1
    assert "see: cambist wallet unlock" in result.err


async def test_errors_in_json(run: Run) -> None:
    result = await run("venues", "papper", "--json")
    assert result.code == 1
    error = json.loads(result.err)["error"]
    assert error["reason"] == "VENUE_NOT_FOUND"
    assert error["metadata"]["known"] == "paper"
    assert result.out == ""


@pytest.mark.parametrize(
    "command",
    [
        "order place paper ETH-USDC buy 1",
        "order place paper ETH-USDC buy 1 --price 5 --market",
        "order place paper ETH-USDC hold 1 --market",
        "order place paper ETH-USDC buy 1 --market --take-profit",
        "order place",
        "order cancel",
        "order cancel c0ffee --all",
        "order replace c0ffee",
        "candles paper ETH-USDC -i soon",
        "candles paper ETH-USDC --start yesterday",
        "funding",
        "balances 0x1",
        "wallet import x --mnemonic --watch 0x1",
        "account remove demo",
        "account add demo binance",
        "swap uniswap_v2@ethereum_local ETH USDC 1",
        "nonsense",
        "venues --nonsense",
    ],
)
async def test_what_cannot_be_meant_is_a_usage_error(
    run: Run, daemon: FakeDaemon, command: str
) -> None:
    result = await run(*command.split())
    assert result.code == 2, result.out + result.err
    assert result.err.strip()
    assert not any(daemon.effects)


async def test_the_account_may_be_left_out_where_one_is_meant(run: Run, daemon: FakeDaemon) -> None:
    arguments = ("WETH-USDC", "buy", "1", "--price", "3000", "--tif", "ioc")
    await run("order", "place", POOL_VENUE, *arguments)
    await run("order", "place", POOL_VENUE, *arguments, "--account", "second")
    default, named = daemon.of("place_order")
    assert default.order.account == "trader"
    assert named.order.account == "second"
    result = await run("order", "place", "papper", *arguments)
    assert "did you mean 'paper'" in result.err


async def test_orders_of_several_kinds(run: Run, daemon: FakeDaemon) -> None:
    place = ("order", "place", "paper", "ETH-USDC", "sell", "1")
    await run(*place, "--price", "5", "--trigger", "6")
    await run(*place, "--market", "--trigger", "6", "--take-profit")
    await run(*place, "--price", "5", "--tif", "post-only", "--reduce-only")
    stop, take, maker = (request.order for request in daemon.of("place_order"))
    assert (stop.type, stop.trigger_price, stop.time_in_force) == (4, "6", 1)
    assert (take.type, take.HasField("time_in_force")) == (5, False)
    assert (maker.type, maker.time_in_force, maker.reduce_only) == (2, 4, True)


async def test_orders_from_a_file(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    order = {"venue": "paper", "instrument": "ETH-USDC", "side": "buy", "quantity": "1"}
    file.write_text(
        json.dumps(order | {"price": "2900.10", "time_in_force": "ioc"})
        + "\n\n"
        + '{"venue": "paper", "instrument": "ETH-USDC", "side": "sell", "quantity": 0.1}\n'
    )
    result = await run("order", "place", "--file", str(file), "--request-id", "b", "--json")
    assert result.code == 0, result.err
    (request,) = daemon.of("place_orders")
    first, second = request.items
    assert (first.request_id, first.order.account, first.order.price) == ("b-1", "paper", "2900.1")
    assert (second.order.type, second.order.quantity) == (1, "0.1")  # not 0.1000000000000000055
    file.write_text(json.dumps(order | {"price": "1"}))
    assert (await run("order", "place", "--file", str(file))).code == 1
    for bad in ("{", '{"venue": "paper"}', json.dumps(order | {"side": "hold"}), "[]", ""):
        file.write_text(bad)
        assert (await run("order", "place", "--file", str(file))).code == 2, bad
    assert (await run("order", "place", "--file", str(tmp_path / "none"))).code == 2


@pytest.mark.parametrize(
    ("arguments", "field", "secret"),
    [
        (["wallet", "import", "a", "--secret-file", "-"], "private_key", "0xKEY"),
        (["wallet", "unlock", "--passphrase-file", "-"], "passphrase", "correct horse "),
    ],
)
async def test_secrets_come_from_standard_input_and_are_not_shown(
    run: Run, daemon: FakeDaemon, arguments: list[str], field: str, secret: str
) -> None:
    result = await run(*arguments, input=f"{secret}\n")
    assert result.code == 0, result.err
    (request,) = daemon.of("import_wallet") or daemon.of("unlock_wallets")
    assert getattr(request, field) == secret
    assert secret.strip() not in result.out + result.err


async def test_words_and_keystores(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    keystore = tmp_path / "key.json"
    keystore.write_text('{"version": 3}')
    await run(
        "wallet", "import", "a", "--mnemonic", "--secret-file", "-", input="one  two\nthree\n"
    )
    await run(
        "wallet", "import", "b", "--keystore", str(keystore), "--secret-file", "-", input="pass\n"
    )
    mnemonic, file = daemon.of("import_wallet")
    assert mnemonic.mnemonic.phrase == "one two three"
    assert (file.keystore.json, file.keystore.passphrase) == ('{"version": 3}', "pass")


async def test_credentials_from_standard_input(run: Run, daemon: FakeDaemon) -> None:
    text = "# binance\napi_key = K\nsecret='S=='\n"
    result = await run("account", "add", "main", "binance", "--credentials-file", "-", input=text)
    assert result.code == 0, result.err
    (request,) = daemon.of("add_account")
    assert dict(request.credentials) == {"api_key": "K", "secret": "S=="}
    assert "may withdraw" in result.err
    assert "S==" not in result.out + result.err


async def test_a_long_hash_is_one_line(run: Run, daemon: FakeDaemon) -> None:
    """The terminal of these tests has 80 columns; a signature of Solana has 88 characters."""
    one = chains_pb2.Transaction(
        network="solana_local",
        hash="5vgfnxnFDKFPXq1nC3TV" * 4 + "UzzgZmfK",
        purpose="transfer",
        status=chains_pb2.TRANSACTION_STATUS_INCLUDED,
        fee="0.000153520401090924",
        update_time=NOW,
    )
    daemon.answers["list_transactions"] = chains_pb2.ListTransactionsResponse(transactions=[one])
    _head, row = (await run("transactions")).out.splitlines()
    for words in ("solana_local", "transfer", "included", "5vgfn", "0.0001"):
        assert words in row


async def test_an_orders_id_is_never_cut(run: Run, daemon: FakeDaemon) -> None:
    """What an exchange that allows 36 characters is given, in 80 columns."""
    order = trading_pb2.Order()
    order.CopyFrom(ORDER)
    order.client_order_id = "D65NNEGXDWS32S7QVTHD3ITZYGXSQJ4J"
    order.status = trading_pb2.ORDER_STATUS_PARTIALLY_FILLED
    daemon.answers["list_orders"] = trading_pb2.ListOrdersResponse(orders=[order])
    row = (await run("order", "list")).out.splitlines()[1]
    for words in (order.client_order_id, order.spec.instrument, "2900.1 ", " p"):
        assert words in row


async def test_a_swap_that_reverts_is_a_failure(run: Run, daemon: FakeDaemon) -> None:
    from tests.unit.cli.answers import INCLUDED

    failed = type(INCLUDED)()
    failed.CopyFrom(INCLUDED)
    failed.succeeded = False
    daemon.answers["get_transaction"] = chains_pb2.GetTransactionResponse(transaction=failed)
    result = await run("swap", POOL_VENUE, "ETH", "USDC", "1", "--yes", "--wait")
    assert result.code == 1


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["venues", "--nonsense"], ["order", "place", "p", "i", "hold", "1"]]
)
def test_usage_errors_in_json(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["cambist", *arguments, "--json"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert json.loads(said.err)["error"]["reason"] == "USAGE"
    assert said.out == ""


async def test_lines_of_a_stream_stand_below_each_other(run: Run) -> None:
    head, first, second, *_ = (await run("trades", "paper", "ETH-USDC", "--watch")).out.splitlines()
    assert len(head) == len(first) == len(second)
