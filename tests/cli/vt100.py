# SPDX-License-Identifier: Apache-2.0
"""What a VT100 shows after a program has written to it: as much of one as ncurses asks of TERM=vt100."""

import errno
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

from world import PATIENCE_S

SEQUENCE = re.compile("\033(?:\\[([?>]?)([0-9;]*)([@-~])|[()]([0-9A-B])|([=>78MDEHc]))")


class Vt100:
    """A program whose three standard streams are a VT100 of 'rows' and 'columns'."""

    def __init__(self, command, rows=24, columns=80, env=None):
        self.bytes = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "vt100", "LC_ALL": "C.UTF-8"} | (env or {}))
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execv(command[0], command)
        self.before = termios.tcgetattr(self.master)
        self.set_size(rows, columns)

    def set_size(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.clear()
        self.top, self.bottom = 0, rows - 1
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0

    def type(self, keys):
        os.write(self.master, keys.encode())

    def lines(self):
        return ["".join(cells).rstrip() for cells in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def read(self, timeout):
        """False when the program has gone."""
        if select.select([self.master], [], [], timeout)[0]:
            try:
                piece = os.read(self.master, 65536)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return False
            if not piece:
                return False
            self.bytes += piece.decode(errors="replace")
            self.draw(self.bytes)
        return True

    def await_text(self, pattern, gone=False):
        """Until the screen matches, or, with 'gone', does not."""
        end = time.monotonic() + PATIENCE_S
        while bool(re.search(pattern, self.text(), re.M)) == gone:
            if time.monotonic() > end or not self.read(0.1):
                raise AssertionError(f"waited in vain for {pattern!r}:\n{self.text()}")

    def wait(self):
        """The exit status, when it has ended."""
        end = time.monotonic() + PATIENCE_S
        while self.read(0.1):
            if time.monotonic() > end:
                raise AssertionError(f"it does not end:\n{self.text()}")
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def close(self):
        os.close(self.master)

    def draw(self, text):
        """Obeys what is whole of 'text', and keeps the rest."""
        at = 0
        while at < len(text):
            match = SEQUENCE.match(text, at)
            if match:
                self.obey(match)
                at = match.end()
            elif text[at] == "\033" and len(text) - at < 16:
                break
            else:
                self.put(text[at])
                at += 1
        self.bytes = text[at:]

    def obey(self, match):
        private, numbers, final, _, single = match.groups()
        if single == "M":
            self.scroll_down() if self.row == self.top else self.move(self.row - 1, self.column)
        if final is None or private:
            return
        values = [int(number or 0) for number in numbers.split(";")]
        first = max(1, values[0])
        if final in "Hf":
            self.move(first - 1, max(1, values[1] if len(values) > 1 else 1) - 1)
        elif final in "ABCD":
            rows, columns = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}[final]
            self.move(self.row + rows * first, self.column + columns * first)
        elif final == "J":
            self.erase(self.column + self.row * self.columns, self.rows * self.columns)
        elif final == "K" and values[0] == 1:
            self.erase(self.row * self.columns, self.row * self.columns + self.column + 1)
        elif final == "K":
            self.erase(self.column + self.row * self.columns, (self.row + 1) * self.columns)
        elif final == "r":
            self.top = first - 1
            self.bottom = (values[1] if len(values) > 1 and values[1] else self.rows) - 1
            self.move(0, 0)

    def move(self, row, column):
        self.row = min(max(row, 0), self.rows - 1)
        self.column = min(max(column, 0), self.columns - 1)

    def erase(self, begin, end):
        for cell in range(begin, end):
            self.cells[cell // self.columns][cell % self.columns] = " "

    def scroll_up(self):
        del self.cells[self.top]
        self.cells.insert(self.bottom, [" "] * self.columns)

    def scroll_down(self):
        del self.cells[self.bottom]
        self.cells.insert(self.top, [" "] * self.columns)

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.scroll_up() if self.row == self.bottom else self.move(self.row + 1, self.column)
        elif character == "\b":
            self.move(self.row, self.column - 1)
        elif character == "\t":
            self.move(self.row, (self.column // 8 + 1) * 8)
        elif character >= " ":
            if self.column == self.columns:
                self.column = 0
                self.scroll_up() if self.row == self.bottom else self.move(self.row + 1, 0)
            self.cells[self.row][self.column] = character
            self.column += 1
