"""What can go wrong, on one screen. Every message says what, where, got and wanted."""


class UpkeepError(Exception):
    """Root of everything Upkeep raises on purpose."""


class ConfigError(UpkeepError):
    """A YAML file is not what its schema says."""


class StoreError(UpkeepError):
    """A client's store cannot be read or written."""


class NotFoundError(StoreError):
    """The key is not in the store."""


class AlreadyExistsError(StoreError):
    """A key that may be written only once is there already."""


class BaseModelError(UpkeepError):
    """The base model is missing, is not the pinned one, or cannot be loaded safely."""


class ReleaseError(UpkeepError):
    """A released adapter cannot be loaded or is not the one its manifest names."""


class NoChampionError(UpkeepError):
    """The client has no champion yet, so there is nothing to watch or to compare with."""


class NotEnoughDataError(UpkeepError):
    """A window holds too few usable rows for what was asked."""

    def __init__(self, *, what: str, have: int, need: int, where: str) -> None:
        super().__init__(f"{where}: not enough data for {what}: have {have}, need {need}")


class MomentError(UpkeepError):
    """Work was asked for as of a time that is yet to come."""


class NoLogError(UpkeepError):
    """A period had ended before the client's log began, so there is nothing to count."""


class LeakError(UpkeepError):
    """An evaluation item was found among the training cases."""


class SnapshotError(UpkeepError):
    """What a model was taught is not on record, or its facts are no longer what they were."""


class TimelineError(UpkeepError):
    """A timeline file does not follow the documented columns."""


class UnsupportedTaskError(UpkeepError):
    """The client's task is configured but this stage cannot do it."""


class TrainingError(UpkeepError):
    """A model cannot be trained here as its recipe says or beside another, or not be asked for lack of memory."""


class RuleError(UpkeepError):
    """A relabel rule was asked for that nobody has proposed."""


class DecisionError(UpkeepError):
    """A promotion or rollback was asked for that the record does not allow."""


class SheetError(UpkeepError):
    """A returned sheet, or a row of it, is not what was sent out or cannot be understood."""


class DeliveryError(UpkeepError):
    """An alert did not reach a channel. Never holds the channel's URL, which is a secret."""


class ServerError(UpkeepError):
    """A server, a worker or what is deployed on it is not as it should be."""


class VariantError(UpkeepError):
    """A new category, or a model of its own, was asked for that cannot be taught as it was asked for."""


class PersonError(UpkeepError):
    """Something is to be done on a person's word, and nobody is named."""


def require_name(by: str) -> None:
    """Raise PersonError where `by` is no name."""
    if not by.strip():
        raise PersonError(f"by: found {by!r}, expected the name of who says so, which is kept")
