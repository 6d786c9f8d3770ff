"""What all tests share: hypothesis tries the same examples every time, at its own pace."""

from hypothesis import settings

settings.register_profile("itpump", derandomize=True, deadline=None)
settings.load_profile("itpump")
