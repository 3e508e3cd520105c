"""What a number may be, said where the field is declared."""

from siamcli.schema import Count, NotNegative, Positive, Range, Share, check_ranges

__all__ = ["Count", "NotNegative", "Positive", "Range", "Share", "check_ranges"]
