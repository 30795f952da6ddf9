"""The two ways in which a build ends early."""


class BuildError(Exception):
    """A mistake or a failed step; its text is what the person reads after `error: `."""


class Cancelled(BaseException):
    """SIGTERM or SIGINT arrived. Not an Exception, so that no step mistakes it for its own failure."""
