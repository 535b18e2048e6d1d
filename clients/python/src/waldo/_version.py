"""The version of the package: that of Waldo's release."""

__version__ = "0.1.0.dev0"
