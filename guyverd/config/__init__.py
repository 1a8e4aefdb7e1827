"""What can be configured: every key with its unit, default and meaning, and a pure parser for it.

`parse` turns a mapping, as YAML gives it, into a `Config`; `render` turns that into commented YAML again. Nothing here
touches a disk.
"""

from guyverd.config.parsing import Lines, parse
from guyverd.config.rendering import example, render
from guyverd.config.settings import PATHS, RETIRED, Config, Faces, Folders, Log, People, Videos, Watch, Workers
from guyverd.config.units import HOURS, Hours, Unit

__all__ = [
    "HOURS",
    "PATHS",
    "RETIRED",
    "Config",
    "Faces",
    "Folders",
    "Hours",
    "Lines",
    "Log",
    "People",
    "Unit",
    "Videos",
    "Watch",
    "Workers",
    "example",
    "parse",
    "render",
]
