"""The command `reconcile`, also as `python -m reconcile`."""

import signal


def main() -> None:
    """Run the command. It ends the process."""
    # Nothing is begun while the command is imported: Ctrl-C ends it as it ends any program, without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from reconcile.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
