"""A clock that moves only when told, and systems that tell it."""

from edgecnn.bench.system import System


class FakeClock:
    def __init__(self):
        self.time_ns = 1_000_000

    def now_ns(self):
        return self.time_ns

    def sleep_until_ns(self, moment_ns):
        self.time_ns = max(self.time_ns, moment_ns)


def timed_system(clock, engine_ns, *, pre_ns=0, post_ns=0, name="fake"):
    """A system whose n-th inference takes `engine_ns(n)`."""
    asked = []

    def pre(frame):
        clock.time_ns += pre_ns
        return frame

    def engine(feeds):
        clock.time_ns += engine_ns(len(asked))
        asked.append(feeds)
        return feeds

    def post(_outputs, frame):
        clock.time_ns += post_ns
        return frame

    return System(name, pre, engine, post, list(range(5)))
