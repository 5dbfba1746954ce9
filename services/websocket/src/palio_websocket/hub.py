"""The channels that somebody follows. Sources tell by name; what nobody follows costs nothing."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from palio_websocket import metrics
from palio_websocket.channels import Channel, Source
from palio_websocket.domain import ChannelName, Family
from palio_websocket.errors import TooManyChannels


class Sources(Protocol):
    """Has the sources of one or more families."""

    def open(self, name: ChannelName) -> Source:
        """Somebody follows the channel now."""

    def close(self, name: ChannelName) -> None:
        """Nobody follows it any more."""


class Hub:
    """All channels with listeners."""

    def __init__(self, channels_max: int) -> None:
        self._channels_max = channels_max
        self._channels: dict[str, Channel] = {}
        self._sources: Mapping[Family, Sources] = {}

    def connect(self, sources: Mapping[Family, Sources]) -> None:
        """Say where channels get what they tell."""
        self._sources = sources

    def channel(self, name: ChannelName) -> Channel:
        """The channel, made for its first listener.

        Raises:
            TooManyChannels: this process carries as many as it may.
        """
        channel = self._channels.get(name.text)
        if channel is None:
            if len(self._channels) >= self._channels_max:
                raise TooManyChannels(name.text, "No more channels can be followed here for now.")
            channel = Channel(name, self._sources[name.family].open(name))
            self._channels[name.text] = channel
            metrics.CHANNELS.set(len(self._channels))
        return channel

    def find(self, name: str) -> Channel | None:
        """The channel of that name, if somebody follows it."""
        return self._channels.get(name)

    def release(self, channels: Iterable[Channel]) -> None:
        """Forget those of them that nobody follows any more."""
        for channel in channels:
            if channel.is_empty and self._channels.pop(channel.name.text, None) is not None:
                self._sources[channel.name.family].close(channel.name)
        metrics.CHANNELS.set(len(self._channels))

    def versions(self, names: Iterable[str]) -> list[tuple[str, tuple[str, int]]]:
        """What was told last on each of these channels."""
        return [
            (name, told)
            for name in sorted(names)
            if (channel := self._channels.get(name)) is not None and (told := channel.source.told()) is not None
        ]
