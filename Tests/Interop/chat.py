"""Drives `godwit chat` in pseudo-terminals, with pyte as the terminal, and tells what it saw.

Usage: chat.py GODWIT ALICE_HOME ALICE_ID BOB_HOME BOB_ID. One JSON object on standard output; a step that does not come
about ends the script with what was on the screens.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

import pyte

ENTER = "\r"
LEAVE = b"\x1b[?2004l"


class Chat:
    """One chat process in a terminal of its own."""

    def __init__(self, program, home, *arguments, columns=80, rows=24, term="vt100"):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.received = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            environment = dict(os.environ, TERM=term, LANG="C.UTF-8", LC_ALL="C.UTF-8", TZ="UTC")
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(program, [program, "chat", *arguments, "--home", home], environment)
        self.cooked = self.modes()

    def modes(self):
        """Flags of lines and echo."""
        return termios.tcgetattr(self.terminal)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def pump(self, seconds=0.02):
        ready, _, _ = select.select([self.terminal], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return b""
        self.received += data
        self.stream.feed(data)
        return data

    def rows(self):
        return [row.rstrip() for row in self.screen.display]

    def has(self, *texts):
        whole = "\n".join(self.rows())
        return all(text in whole for text in texts)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def quiet(self, seconds=0.4):
        """Waits until nothing has come for a while."""
        last = time.monotonic()
        while time.monotonic() - last < seconds:
            if self.pump():
                last = time.monotonic()

    def ended(self):
        """Exit status, negative for a signal."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self.pump()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.pump():
                    pass
                return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        raise SystemExit(f"a chat does not end: {self.rows()}")


def until(what, chats, condition, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for chat in chats:
            chat.pump()
        if condition():
            return
    screens = "\n---\n".join("\n".join(chat.rows()) for chat in chats)
    raise SystemExit(f"{what} did not come about:\n{screens}")


def measured(chat, act):
    """Bytes that came because of something."""
    chat.quiet()
    before = len(chat.received)
    act()
    chat.quiet()
    return len(chat.received) - before


def talk(alice, bob, result):
    both = [alice, bob]
    until("both open", both, lambda: alice.has("online") and bob.has("online"))
    result["key_bytes"] = [measured(alice, lambda c=c: alice.type(c)) for c in "hello bob"]
    result["composed"] = alice.rows()[23]
    alice.type(ENTER)
    until("the text arrives", both, lambda: bob.has("hello bob"))
    until("it is delivered", both, lambda: any(row.startswith("+ ") and "hello bob" in row for row in alice.rows()))
    for chat in both:
        chat.quiet(1)
    before = len(alice.received)
    bob.type("hello alice, how are things" + ENTER)
    until("the answer arrives", both, lambda: alice.has("how are things"))
    alice.quiet()
    result["arrival_bytes"] = len(alice.received) - before
    result["arrival_line"] = next(len(row) for row in alice.rows() if "how are things" in row)
    alice.type("/react \N{THUMBS UP SIGN}" + ENTER)
    until("the reaction arrives", both, lambda: any("how are things" in row and "[" in row for row in bob.rows()))
    alice.type("/edit hello Bob!" + ENTER)
    until("the edit arrives", both, lambda: bob.has("hello Bob!", "(edited)") and alice.has("(edited)"))
    alice.type("/reply fine" + ENTER)
    until("the reply arrives", both, lambda: any("fine" in row and "[re " in row for row in bob.rows()))
    alice.type("\x1b[200~one line\r\nand another\x1b[201~" + ENTER)
    until("the paste arrives", both, lambda: bob.has("one line", "and another"))
    alice.type("/delete" + ENTER)
    until("the deletion arrives", both, lambda: bob.has("(deleted)") and not bob.has("and another"))
    alice.type("/search things" + ENTER)
    until("the search is shown", both, lambda: alice.has("Search: things", "[things]"))
    alice.type("\x1b")
    until("the search is left", both, lambda: not alice.has("Search: things"))
    alice.type("/contact" + ENTER)
    until("the contact is shown", both, lambda: alice.has("safety number"))
    alice.type("\x1b")
    with open("boat.bin", "wb") as file:
        file.write(b"godwit" * 200)
    bob.type("/attach boat.bin" + ENTER)
    until("the file arrives", both, lambda: alice.has("[boat.bin, 1,200 B]"))
    alice.type("/save kept.bin" + ENTER)
    until("the file is kept", both, lambda: alice.has("Saved as kept.bin."))
    with open("kept.bin", "rb") as file:
        result["file"] = file.read() == b"godwit" * 200
    bob.type("\x1b[2J\u202eevil" + ENTER)
    until("what bob types is text", both, lambda: alice.has("<U+202E>evil"))


def handle(alice, bob, result):
    alice.quiet()
    alice.resize(60, 15)
    until("the new size is drawn", [alice], lambda: alice.rows()[0].startswith(" @") and alice.rows()[14].startswith(">"))
    alice.quiet()
    result["resized_rows"] = len(alice.screen.display)
    result["resized_shows"] = alice.has("<U+202E>evil")
    result["raw"] = alice.modes() == 0
    alice.type("\x1a")
    pid, status = os.waitpid(alice.pid, os.WUNTRACED)
    result["suspended"] = os.WIFSTOPPED(status) and alice.modes() == alice.cooked
    alice.quiet(0.1)
    os.kill(alice.pid, signal.SIGCONT)
    until("it goes on", [alice], lambda: alice.modes() == 0)
    alice.type("back")
    until("it is drawn again", [alice], lambda: alice.rows()[14] == "> back")
    bob.received = b""
    os.kill(bob.pid, signal.SIGTERM)
    result["terminated"] = [bob.ended(), bob.modes() == bob.cooked, LEAVE in bob.received]
    alice.received = b""
    os.kill(alice.pid, signal.SIGSEGV)
    result["crashed"] = [alice.ended(), alice.modes() == alice.cooked, LEAVE in alice.received]


def main():
    program, alice_home, alice_id, bob_home, bob_id = sys.argv[1:]
    result = {}
    alice = Chat(program, alice_home, "@" + bob_id, "--every", "2")
    bob = Chat(program, bob_home, "@" + alice_id, "--every", "2")
    talk(alice, bob, result)
    handle(alice, bob, result)
    hung = Chat(program, bob_home, "@" + alice_id)
    until("it opens again", [hung], lambda: hung.has("(deleted)"))
    os.kill(hung.pid, signal.SIGHUP)
    result["hung_up"] = hung.ended()
    dumb = Chat(program, bob_home, "@" + alice_id, term="dumb")
    until("lines are shown", [dumb], lambda: b"(deleted)" in dumb.received)
    dumb.type("from a dumb terminal\n")
    until("a line is sent", [dumb], lambda: b"at_node" in dumb.received.split(b"from a dumb terminal")[-1])
    result["dumb_is_plain"] = b"\x1b" not in dumb.received
    dumb.type("/quit\n")
    result["dumb"] = dumb.ended()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
