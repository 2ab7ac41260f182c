"""The commands around a run: help, runs, show, doctor, sandbox, demo; and how a run answers programs."""

import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from zipfile import ZipFile

import pytest

from reconcile.core.discrepancies import TYPES, Severity
from reconcile.core.errors import InputRefused
from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.settings import Settings
from tests.support.driver import PROGRAM, SECONDS, Command, MakeCommand, Outcome, Shop, keys, planted
from tests.support.warm import Forked

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")


@pytest.fixture(scope="module")
def small(small_shop: Shop, make_command: MakeCommand) -> tuple[Command, Outcome]:
    """The small shop reconciled once, all its days. Look, but change nothing."""
    merchant, sandbox = small_shop
    command = make_command(sandbox)
    merchant.write_ledger(command.folder / "ledger.csv")
    days = ("--from", str(merchant.first_day), "--to", str(merchant.last_day))
    return command, command.good("run", *days, "--ledger", "ledger.csv")


def test_every_command_has_help_with_an_example(make_command: MakeCommand) -> None:
    command = make_command(embedded=True)
    names = listed(command.good("--help").out)
    assert {"demo", "run", "fetch", "ledger", "explain", "runs", "show", "sandbox", "doctor"} <= set(names)
    words: list[tuple[str, ...]] = [(name,) for name in names]
    words += [("ledger", name) for name in listed(command.good("ledger", "--help").out)]
    with ThreadPoolExecutor(3) as pool:
        helps = list(pool.map(lambda one: command(*one, "--help"), words))
    for one, outcome in zip(words, helps, strict=True):
        assert (outcome.code, outcome.err) == (0, "")
        assert f"Example:  reconcile {' '.join(one)}" in outcome.out
    assert command("run", "-h").out == command("run", "--help").out
    assert not command.home.exists()


def listed(help_text: str) -> list[str]:
    """The commands that a help page lists."""
    return re.findall(r"^  ([a-z]+)  ", help_text.partition("Commands:\n")[2], re.MULTILINE)


def test_without_a_command_help_is_shown(make_command: MakeCommand) -> None:
    outcome = make_command(embedded=True)()
    assert outcome.code == 2
    assert "Usage: reconcile" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


def test_a_run_for_programs(calm_shop: Shop, calm: Command) -> None:
    """`--json` prints run.json and nothing else; `--strict` tells by its code what is open."""
    words = ("run", *DAYS, "--ledger", "ledger.csv", "--json", "--strict")
    strict = calm(*words)
    assert any(error.type == "STALE_PENDING" for error in calm_shop[0].planted)
    assert strict.code == 10, strict
    assert strict.out.encode() == (calm.latest().folder / "run.json").read_bytes()
    assert json.loads(strict.out)["discrepancies"]["STALE_PENDING"] == 1
    # Nothing but timing is left when no pending payment is stale, and info is spared.
    timing = TYPES["TIMING_DIFFERENCE"].severity
    easy = calm(*words, RECONCILE_STALE_PENDING_HOURS="8000", RECONCILE_PAGE_SIZE="")
    assert easy.code == (0 if timing is Severity.INFO else 10), easy
    document = json.loads(easy.out)
    assert list(document["discrepancies"]) == ["TIMING_DIFFERENCE"]
    assert document["cleared"] == 1
    assert {row["severity"] for row in calm.latest().rows("discrepancies")} == {timing}
    assert calm("run", *DAYS, "--ledger", "nowhere.csv", "--json", "--strict").out == ""
    latest = calm.latest().run_id
    earlier = calm.good("run", "--from", "2026-04-01", "--to", "2026-04-03", "--json")
    assert f"report: reports/latest still names {latest}, which is as of a later day\n" in earlier.err
    assert (json.loads(earlier.out)["to"], calm.latest().run_id) == ("2026-04-03", latest)
    assert "still names" not in easy.err


def test_keys_from_files_and_settings_from_toml(calm_shop: Shop, make_command: MakeCommand) -> None:
    merchant, sandbox = calm_shop
    command = make_command(made=True)
    (command.folder / "secret.txt").write_text(f"{sandbox.secret_key}\n", "utf-8")
    lines = {
        **keys(sandbox),
        "KSPAY_BASE_URL": "https://kspay.invalid/overruled",
        "KSPAY_SECRET_KEY_FILE": "secret.txt",
        "RECONCILE_LEDGER": "ledger.csv",
        "RECONCILE_TIMEZONE": "America/New_York",
    }
    del lines["KSPAY_SECRET_KEY"]
    toml = "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
    (command.folder / "reconcile.toml").write_text(toml, "utf-8")
    merchant.write_ledger(command.folder / "ledger.csv")
    # An empty variable is unset: it overrules nothing.
    changes = {"KSPAY_BASE_URL": sandbox.base_url, "RECONCILE_TIMEZONE": "Asia/Kolkata", "KSPAY_APP_ID": ""}
    command.good("run", *DAYS, "--out", "elsewhere/reports", **changes)
    assert command.latest("elsewhere/reports").findings() == planted(merchant.planted)
    assert not (command.folder / "reports").exists()


def test_runs_and_show(small: tuple[Command, Outcome]) -> None:
    command, ran = small
    report = command.latest()
    line = next(line for line in command.good("runs").out.splitlines() if report.run_id in line)
    found = len(report.rows("discrepancies"))
    assert [cell.strip() for cell in line.split("│")][2:4] == ["run", "finished"]
    assert f" {found} " in line
    latest, named = command.good("show", "latest"), command.good("show", report.run_id)
    assert latest.out == named.out
    assert latest.err == ""
    # The same as at the end of the run, but for the paths: those are relative to where it was called.
    said = [line for line in ran.out.splitlines() if not line.startswith("reports/")]
    assert len(said) > 10
    assert latest.out.splitlines()[1 : len(said) + 1] == said
    assert str(report.folder.parent.name) in latest.out
    nonsense = command("show", "nonsense")
    assert (nonsense.code, nonsense.out) == (2, "")
    assert "nonsense" in nonsense.complaint


def test_a_run_says_where_the_report_is(small: tuple[Command, Outcome]) -> None:
    command, ran = small
    run_id = command.latest().run_id
    names = [
        line.removeprefix(f"reports/{run_id}/")
        for line in ran.out.splitlines()
        if line.startswith("reports/")
    ]
    assert {"report.html", "discrepancies.csv"} <= set(names)
    assert all((command.folder / "reports" / run_id / name).is_file() for name in names)


def test_show_verifies_the_files(small: tuple[Command, Outcome]) -> None:
    command, _ = small
    report = command.latest()
    assert "files and run.json are as the run left them" in command.good("show", "latest", "--verify").out
    for name in ("matched.csv", "report.html", "run.json"):
        path = report.folder / name
        before = path.read_bytes()
        try:
            path.write_bytes(before.replace(b"a", b"b", 1))
            refused = command("show", "latest", "--verify")
            assert refused.code == 3
            assert f"{name} was changed" in refused.complaint
            # Drawing again mends what is drawn, and nothing else.
            drawn = name == "report.html"
            mend = "write them again: reconcile report" if drawn else "put the files back"
            assert mend in refused.complaint
            path.unlink()
            assert f"{name} is missing" in command("show", report.run_id, "--verify").complaint
        finally:
            path.write_bytes(before)
    more = report.folder / "notes.txt"
    more.touch()
    try:
        assert "notes.txt does not belong to the run" in command("show", "latest", "--verify").complaint
    finally:
        more.unlink()
    aside = report.folder.rename(report.folder.with_name("aside"))
    try:  # as on a machine that shares only the database with the one of the run
        for words in (("show", report.run_id, "--verify"), ("report", report.run_id)):
            refused = command(*words)
            assert refused.code == 2
            assert f"are not in {report.folder} on this machine" in refused.complaint
    finally:
        aside.rename(report.folder)
    command.good("show", "latest", "--verify")


def test_colours_only_on_a_terminal(small: tuple[Command, Outcome]) -> None:
    command, ran = small
    assert "\x1b" not in ran.out
    assert "\x1b" not in command.good("show", "latest", FORCE_COLOR="1", TERM="xterm-256color").out
    for changes, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        shown = on_terminal(command, "show", "latest", TERM="xterm-256color", COLUMNS="80", **changes)
        assert ("\x1b[33m" in shown or "\x1b[31m" in shown) == coloured
        # Narrow as it is, no number is cut.
        assert "…" not in shown


def test_what_others_say_and_files_are_called_is_no_markup(
    make_command: MakeCommand, database_url: str
) -> None:
    command = make_command(RECONCILE_DATABASE_URL=database_url, KSPAY_APP_ID="ap_1")
    says = "see [/docs], [bold]or[/bold] [ledger.shop]"
    with open_store(Settings(database_url=database_url)) as engine:
        run = runs.start(engine, "fetch", ("ap_1",), Period(date(2026, 4, 1), date(2026, 4, 5)), None)
        with pytest.raises(InputRefused), runs.failing(engine, run, command.home):
            raise InputRefused(says)
    assert says in command.good("runs", COLUMNS="300").out
    ledger = "ledger_id,amount,currency,date\nV-1,12.50,INR,2026-04-02\n"
    (command.folder / "q[b].csv").write_text(ledger, "utf-8")
    with ZipFile(command.folder / "both.zip", "w") as archive:
        archive.writestr("april [/may].csv", ledger)
    imported = on_terminal(command, "ledger", "import", "q[b].csv", "both.zip", TERM="xterm", COLUMNS="200")
    assert "q[b].csv" in imported.partition("import 1:")[0], "the bar shows the name too"
    assert "april [/may].csv" in imported
    # Nor do colons around a word make an emoji of it.
    (command.folder / "x]:100:.csv").write_text(ledger.replace("V-1", "V-2"), "utf-8")
    for said in (
        command.good("ledger", "import", "x]:100:.csv").out,
        on_terminal(command, "ledger", "list", TERM="xterm", COLUMNS="200"),
        on_terminal(command, "ledger", "import", "x]:100:.csv", TERM="xterm", COLUMNS="200"),
    ):
        assert "x]:100:.csv" in said
    assert "of x]:100:.csv" in command.good("ledger", "import", "x]:100:.csv", "both.zip").out


def on_terminal(command: Command, *words: str, **changes: str) -> str:
    """What a command writes on a terminal."""
    ours, its = pty.openpty()
    process = command.attached((its, its, its), *words, **changes)
    os.close(its)
    said = b""
    with suppress(OSError):  # Linux says so when the other end is closed
        while more := os.read(ours, 1 << 16):
            said += more
    os.close(ours)
    assert process.wait(SECONDS) == 0, said
    return said.decode()


def test_show_of_nothing(make_command: MakeCommand) -> None:
    command = make_command(embedded=True)
    for word in ("show", "report"):
        outcome = command(word, "latest")
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.complaint == "reconcile: no run is finished yet: reconcile run makes the first"
    assert command.good("runs").out.count("│") in range(20)


def test_one_is_not_called_several(make_command: MakeCommand) -> None:
    command = make_command(KSPAY_APP_ID="ap_1")
    header, row, broken = (
        "ledger_id,amount,date,currency\n",
        "L1,5,2026-08-01,INR\n",
        "L2,five,2026-08-01,INR\n",
    )
    (command.folder / "one.csv").write_text(header + row)
    assert "An import makes of it: 1 entry, 0 repeated" in command.good("ledger", "inspect", "one.csv").out
    said = command.good("ledger", "import", "one.csv").out
    assert said.startswith("import 1: 1 row of one.csv: 1 new")
    assert re.search(r"withdrawn +┃ notes +┃$", command.good("ledger", "list").out, re.MULTILINE)
    (command.folder / "two.csv").write_text(header + row.replace("L1", "L3") + broken)
    assert command.good("ledger", "import", "two.csv").out.startswith("import 2: 2 rows of two.csv")
    assert "1 record in quarantine\n" in command.good("quarantine").out
    assert "0 transactions, 2 entries, 1 in quarantine" in command("doctor").out
    assert (
        "import 1 of one.csv is taken back: 1 entry withdrawn" in command.good("ledger", "withdraw", "1").out
    )


def test_warnings_of_an_import_are_no_result(make_command: MakeCommand) -> None:
    command = make_command(KSPAY_APP_ID="ap_1")
    (command.folder / "a.csv").write_text("ledger_id,amount,date,currency\nL1,5,2026-08-01,INR\nTotal,6,,\n")
    (command.folder / "b.csv").write_text("ledger_id,amount,date,currency\nL2,5,2026-08-01,INR\nTotal,7,,\n")
    done = command.good("ledger", "import", "a.csv")
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["import 1"]
    (warning,) = (line for line in done.err.splitlines() if line.startswith("warning: "))
    assert "a.csv" in warning
    as_json = command.good("ledger", "import", "b.csv", RECONCILE_LOG="json").err
    assert [one["level"] for one in map(json.loads, as_json.splitlines())].count("warning") == 1


def test_doctor_finds_all_well(small: tuple[Command, Outcome]) -> None:
    command, _ = small
    outcome = command.good("doctor")
    lines = outcome.out.splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == []
    for subject in ("settings", "KS Pay", "database", "totals"):
        assert any(f" {subject}" in line for line in lines)
    assert command.good("runs").out.count("finished") == 1  # looking is no run


def test_doctor_warns_of_a_variable_that_is_no_setting(small: tuple[Command, Outcome]) -> None:
    outcome = small[0].good("doctor", "--quick", RECONCILE_DATE_TOLERANCE="5", KSPAY_APPID="ap_1")
    assert [line for line in outcome.out.splitlines() if not line.startswith("ok ")] == [
        f"warn  environment: {name!r} is not a known setting (is {meant} meant?); docs/settings.md lists them all"
        for name, meant in (
            ("KSPAY_APPID", "KSPAY_APP_ID"),
            ("RECONCILE_DATE_TOLERANCE", "RECONCILE_DATE_TOLERANCE_DAYS"),
        )
    ]


def test_doctor_finds_what_is_wrong(small_shop: Shop, small: tuple[Command, Outcome]) -> None:
    command, _ = small
    wrong = command("doctor", KSPAY_SECRET_KEY="Qwrong")
    assert wrong.code == 4
    (failed,) = (line for line in wrong.out.splitlines() if line.startswith("FAIL"))
    for word in (small_shop[0].app_id, "status 4", "KSPAY_SECRET_KEY", "may have been regenerated"):
        assert word in failed
    assert "Qwrong" not in wrong.out + wrong.err
    ledger = command("doctor", RECONCILE_LEDGER="nowhere.csv")
    assert ledger.code == 2
    assert "nowhere.csv" in ledger.out
    # The name of a profile stands for its query, and this one has none.
    (command.folder / "reconcile.toml").write_text('[ledger.bank]\ncurrency = "INR"\n', "utf-8")
    try:
        bank = command("doctor", RECONCILE_LEDGER="bank")
    finally:
        (command.folder / "reconcile.toml").unlink()
    assert bank.code == 2
    assert "bank does not exist" in bank.out


def test_doctor_without_settings(make_command: MakeCommand) -> None:
    outcome = make_command(made=True)("doctor")
    assert outcome.code == 2
    assert "KSPAY_BASE_URL, KSPAY_APP_ID, KSPAY_ACCESS_KEY, KSPAY_SECRET_KEY" in outcome.out
    assert "Traceback" not in outcome.err
    broken = make_command(None, embedded=True, RECONCILE_TIMEZONE="Mars")("doctor")
    assert broken.code == 2
    assert "Mars" in broken.out


def test_sandbox_says_how_to_use_it(make_command: MakeCommand) -> None:
    command = make_command(None, made=True, RECONCILE_DATE_TOLERANCE_DAYS="3")
    with command.start(
        "sandbox", "--port", "0", "--seed", "4", "--days", "6", "--ledger", "my books.csv"
    ) as server:
        said = server.said_until("# then: ")
        settings = dict(shlex.split(line)[1].split("=", 1) for line in said if line.startswith("export "))
        assert list(settings) == ["KSPAY_BASE_URL", "KSPAY_APP_ID", "KSPAY_ACCESS_KEY", "KSPAY_SECRET_KEY"]
        program, *words = shlex.split(said[-1].removeprefix("# then: "))
        assert program == "reconcile"
        command.good(*words, **settings)
        assert command.latest().document()["imported"]["file"] == "my books.csv"
        assert command.latest().document()["matched"]["reference"] > 30
        os.kill(server.process.pid, signal.SIGTERM)
        outcome = server.ended()
    assert (outcome.code, outcome.err) == (0, "")


def test_sandbox_without_a_port(make_command: MakeCommand) -> None:
    command = make_command(embedded=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = command("sandbox", "--port", str(port), "--days", "1")
    assert (outcome.code, outcome.out) == (2, "")
    assert str(port) in outcome.complaint
    for words in (("--days", "0"), ("--ledger", "no/such/folder.csv"), ("--first-day", "2026-02-30")):
        outcome = command("sandbox", "--port", "0", *words)
        assert (outcome.code, outcome.out) == (2, "")
        assert words[1] in outcome.complaint


def shell(command: Command, line: str, **changes: str) -> Outcome:
    """What a shell makes of a line in which RECONCILE is our command; its exit code is that command's."""
    ended = subprocess.run(
        ["bash", "-c", line.replace("RECONCILE", shlex.quote(str(PROGRAM))) + '; exit "${PIPESTATUS[0]}"'],
        cwd=command.folder,
        env=command.environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


def piped(command: Command, reader: list[str], *words: str, both: bool = False) -> Outcome:
    """What comes of `reconcile … | reader`; with `both`, standard error goes there too."""
    with (
        subprocess.Popen(reader, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as end,
        tempfile.TemporaryFile() as err,
        open(os.devnull, "rb") as nothing,
    ):
        assert end.stdin
        out = end.stdin.fileno()
        process = command.attached((nothing.fileno(), out, out if both else err.fileno()), *words)
        read, _ = end.communicate()
        code = process.wait(SECONDS)
        err.seek(0)
        return Outcome(code, read.decode(), err.read().decode())


def test_output_that_nobody_reads_to_its_end(small: tuple[Command, Outcome]) -> None:
    command, _ = small
    for words in (("show", "latest"), ("runs",), ("doctor",)):
        ended = piped(command, ["head", "-n", "1"], *words)
        assert (ended.code, ended.err) == (0, ""), words
        assert ended.out


def test_nobody_takes_what_a_run_prints(calm: Command, small: tuple[Command, Outcome]) -> None:
    """What was done is done, and the exit code says it, whether the streams were closed or their readers went away."""
    before = calm.good("runs").out.count("finished")
    for more, both, code in (
        (("--ledger", "ledger.csv"), False, 0),
        (("--json", "--strict"), False, 10),
        ((), True, 0),
    ):
        ended = piped(calm, ["true"], "run", *DAYS, *more, both=both)
        assert ended.code == code, (more, ended)
        assert "fault" not in ended.err, more
    log = calm.folder / "log"
    for closed in ((1,), (2,), (1, 2)):
        with log.open("wb") as file, open(os.devnull, "rb") as nothing:
            files = nothing.fileno(), file.fileno(), file.fileno()
            words = [str(PROGRAM), "run", *DAYS]
            process = Forked(words, calm.folder, calm.environment(), files, closed)
            assert process.wait(SECONDS) == 0, (closed, log.read_text("utf-8"))
        assert "fault" not in log.read_text("utf-8"), closed
        assert ("Reconciled" in log.read_text("utf-8")) == (1 not in closed)
    assert calm.good("runs").out.count("finished") == before + 6
    # Whether a stream is open is what Python looks at when it begins.
    for closed_by_shell in (">&- 2>log", "2>&- >log", ">&- 2>&-"):
        ended = shell(small[0], f"RECONCILE show latest {closed_by_shell}")
        assert (ended.code, ended.out, ended.err) == (0, "", ""), closed_by_shell
        assert "fault" not in (small[0].folder / "log").read_text("utf-8")


def test_a_disk_that_has_no_room_for_what_is_printed(small: tuple[Command, Outcome]) -> None:
    command, _ = small
    ended = shell(command, "RECONCILE show latest >/dev/full")
    says = "reconcile: standard output: No space left on device: free space and start again\n"
    assert (ended.code, ended.err) == (1, says)
    assert shell(command, "RECONCILE show latest 2>/dev/full").code == 0


def test_a_python_without_docstrings_is_refused(make_command: MakeCommand) -> None:
    outcome = make_command(embedded=True)("runs", PYTHONOPTIMIZE="2")
    assert (outcome.code, outcome.out) == (2, "")
    assert "unset PYTHONOPTIMIZE" in outcome.complaint


def test_settings_to_begin_with_and_as_they_are(make_command: MakeCommand) -> None:
    command = make_command(RECONCILE_GRACE_DAYS="4", KSPAY_SECRET_KEY="hunter2")
    command.good("init")
    written = (command.folder / "reconcile.toml").read_bytes()
    again = command("init")
    assert again.code == 2
    assert "reconcile.toml: there is one in this folder" in again.complaint
    assert (command.folder / "reconcile.toml").read_bytes() == written
    shown = command.good("config", "show")
    assert re.search(r"^ RECONCILE_GRACE_DAYS +4 +environment$", shown.out, re.MULTILINE)
    document = json.loads(command.good("config", "show", "--json").out)
    settings = {one["name"]: one for one in document["settings"]}
    assert settings["RECONCILE_GRACE_DAYS"] == {
        "name": "RECONCILE_GRACE_DAYS",
        "value": "4",
        "source": "environment",
    }
    assert settings["KSPAY_SECRET_KEY"]["value"] == "***"
    assert "hunter2" not in shown.out
    # An app of the environment is none of reconcile.toml, in which all lines are comments.
    named = command.good("config", "show", KSPAY_APP_ID="ap_1").out
    assert re.search(r"^ KSPAY_APP_ID +ap_1 +environment$", named, re.MULTILINE)
    assert "reconcile.toml, " not in named
    assert json.loads(command.good("config", "show", "--json", KSPAY_APP_ID="ap_1").out)["apps"] == ["ap_1"]
    keys = 'base_url = "https://k.example"\naccess_key = "a"\nsecret_key = "s"\n'
    apps = "".join(f'[[apps]]\napp_id = "{one}"\n{keys}' for one in ("ap_1", "ap_2"))
    (command.folder / "reconcile.toml").write_text(apps)
    assert "reconcile.toml, apps: ap_1, ap_2\n" in command.good("config", "show", KSPAY_SECRET_KEY=None).out
    for path in ("books [/final]/a.csv", "/books/x[old]", "books:bank:2026"):
        named = command.good("config", "show", KSPAY_SECRET_KEY=None, RECONCILE_LEDGER=path).out
        assert re.search(rf"^ RECONCILE_LEDGER +{re.escape(path)} +environment$", named, re.MULTILINE)
    wrong = command("config", "show", RECONCILE_GRACE_DAYS="x")
    assert (wrong.code, wrong.out) == (2, "")
    assert "RECONCILE_GRACE_DAYS" in wrong.complaint
    own = (
        '[[expect]]\nname = "n"\non = "entries"\nexpectation = "ExpectNothing"\nweight = "warns"\nwhy = "w"\n'
    )
    (command.folder / "reconcile.toml").write_text(own)
    wrong = command("config", "show")
    assert (wrong.code, wrong.out) == (2, "")
    assert "[[expect]] n: " in wrong.complaint
