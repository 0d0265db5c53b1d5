"""Runs a command at a real terminal and plays a person at it.

    terminal.py STEPS COMMAND [ARGUMENT...]

STEPS is JSON: a list of {"expect": REGEX, "pause": SECONDS, "send": TEXT, "resize": [ROWS, COLUMNS], "signal": NUMBER, "hangUp": true}, each member
optional, done in this order. What the terminal showed goes to stdout with the terminal's state before and after as a last line, and the
command's exit code is ours (128 + n after a signal). To hang up is to close the terminal's window: the last step, after which nothing is shown.
"""
import fcntl, json, os, pty, re, select, signal, struct, sys, termios, time

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
shown = b""
hung_up = False
master, slave = pty.openpty()


def state():
    return termios.tcgetattr(slave)[:4]


def resize(rows, columns):
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read(seconds):
    global shown
    if hung_up:
        time.sleep(seconds)
        return False
    ready, _, _ = select.select([master], [], [], seconds)
    if ready:
        shown += os.read(master, 65536)
    return bool(ready)


resize(24, 80)
before = state()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        os.dup2(slave, descriptor)
    os.closerange(3, 64)
    os.execvp(command[0], command)

start = 0
for step in steps:
    if "expect" in step:
        deadline = time.time() + 45
        while not (match := re.search(step["expect"].encode(), shown[start:])):
            if time.time() > deadline:
                sys.stdout.buffer.write(shown)
                print(f"\nnever saw {step['expect']!r}")
                os.kill(pid, signal.SIGKILL)
                sys.exit(99)
            read(0.1)
        start += match.end()
    if "pause" in step:
        time.sleep(step["pause"])
    if "resize" in step:
        resize(*step["resize"])
    if "send" in step:
        os.write(master, step["send"].encode())
    if "signal" in step:
        os.kill(pid, step["signal"])
    if "hangUp" in step:
        os.close(master)
        hung_up = True

deadline = time.time() + 20
status = None
while time.time() < deadline:
    read(0.02)
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        break
else:
    os.kill(pid, signal.SIGKILL)
    sys.stdout.buffer.write(shown)
    print("\nit did not end")
    sys.exit(98)
while read(0.05):
    pass
sys.stdout.buffer.write(shown)
print("\nterminal " + ("hung up" if hung_up else "restored" if state() == before else "left changed"))
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
