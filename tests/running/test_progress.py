"""Progress and what is said of it: shown on stderr, and hidden where it is not wanted."""

from ie_scaling.running.progress import Progress, say, shown


def _work():
    say("begun")
    with Progress("work", 2, "steps", clock=iter(range(0, 1000, 20)).__next__) as progress:
        progress.advance()
        progress.advance()


def test_progress_is_said_on_stderr_and_nothing_on_stdout(capsys):
    _work()
    out, err = capsys.readouterr()
    assert out == ""
    assert "begun" in err
    assert "work: 2/2 steps" in err


def test_nothing_appears_where_progress_is_not_shown(capsys):
    with shown(False):
        _work()
        with shown(True):  # a call within a quiet one stays quiet
            _work()
    assert capsys.readouterr() == ("", "")
    _work()
    assert "work: 2/2 steps" in capsys.readouterr().err
