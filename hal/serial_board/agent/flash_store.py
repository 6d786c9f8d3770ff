"""NOR flash in the file system: one file for each sector that is not erased.

An erased sector has no file and needs no room. Programming ANDs into the file in place, so nothing
larger than a page is held in memory; the file system makes the write whole or not at all, and
spreads the wear.
"""

import os

import crc32c

SIZE = 589_824
SECTOR = 4096
PAGE = 128
_PART = 256


class FlashStore:
    """`SIZE` bytes in files of `folder`."""

    SIZE = SIZE
    SECTOR = SECTOR
    PAGE = PAGE

    def __init__(self, folder):
        self._folder = folder
        self._used = bytearray(SIZE // SECTOR)
        if folder not in os.listdir():
            os.mkdir(folder)
        for name in os.listdir(folder):
            if name.isdigit():
                self._used[int(name)] = 1

    def program(self, address, data):
        """Clear bits within one page; return whether that went well."""
        if not (0 < len(data) <= PAGE - address % PAGE and address < SIZE):
            return False
        try:
            sector, offset = divmod(address, SECTOR)
            if not self._used[sector]:
                self._create(sector)
            with open(self._name(sector), "r+b") as file:
                file.seek(offset)
                old = file.read(len(data))
                if len(old) < len(data):
                    return False
                file.seek(offset)
                file.write(bytes([old[at] & data[at] for at in range(len(data))]))
        except OSError:
            return False
        return True

    def erase(self, address):
        """Set the bits of the sector that starts there; return whether that went well."""
        if address >= SIZE or address % SECTOR:
            return False
        sector = address // SECTOR
        try:
            if self._used[sector]:
                os.remove(self._name(sector))
                self._used[sector] = 0
        except OSError:
            return False
        return True

    def crc(self, address, length):
        """Return the CRC-32C of `length` bytes within one sector, as they are now."""
        crc = crc32c.Crc()
        while length:
            part = self.read(address, min(length, _PART))
            crc.add(part)
            address += len(part)
            length -= len(part)
        return crc.value()

    def read(self, address, length):
        """Return `length` bytes within one sector."""
        sector, offset = divmod(address, SECTOR)
        if not self._used[sector]:
            return b"\xff" * length
        with open(self._name(sector), "rb") as file:
            file.seek(offset)
            return file.read(length)

    def content(self, address, most):
        """Return (bytes, erased): up to `most` bytes from there on, and the erased run after."""
        data = b""
        while len(data) < most and address + len(data) < SIZE:
            at = address + len(data)
            data += self.read(at, min(most - len(data), SECTOR - at % SECTOR))
        data = data.rstrip(b"\xff")
        end = address + len(data)
        return data, self._erased_from(end)

    def _erased_from(self, start):
        """Return how many erased bytes there are from an address on."""
        at = start
        while at < SIZE:
            left = SECTOR - at % SECTOR
            if self._used[at // SECTOR]:
                part = self.read(at, min(left, _PART))
                kept = part.lstrip(b"\xff")
                if kept:
                    return at + len(part) - len(kept) - start
                at += len(part)
            else:
                at += left
        return at - start

    def _create(self, sector):
        """Make the file of an erased sector; complete, or it does not count."""
        with open(self._folder + "/new", "wb") as file:
            erased = b"\xff" * _PART
            for _ in range(SECTOR // _PART):
                file.write(erased)
        os.rename(self._folder + "/new", self._name(sector))
        self._used[sector] = 1

    def _name(self, sector):
        return f"{self._folder}/{sector}"
