"""What all tests share: hypothesis judges by results and not by the time they take, since machines
differ and other work goes on beside a test."""

from hypothesis import settings

settings.register_profile("cambist", deadline=None)
settings.load_profile("cambist")
