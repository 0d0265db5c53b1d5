/**
 * A terminal's line discipline, as the kernel has it when a terminal is opened (termios(3): ICANON, ECHO, ECHOE, ECHOK, ISIG, ICRNL, ONLCR).
 * A further program of a Wasm container is a thread, for which there can be no terminal of the kernel's. No program of preview1 can ask for
 * another mode.
 */

/** What comes of bytes that are typed. */
export interface Typed {
  /** For the program, which gets whole lines. */
  readonly input: Buffer
  /** For the screen. */
  readonly echo: Buffer
  /** ^C or ^\ ends the program. */
  readonly signal: 'SIGINT' | 'SIGQUIT' | null
  /** ^D on an empty line ends its input. */
  readonly isEnd: boolean
}

const KEY = { end: 0x04, backspace: 0x08, newline: 0x0a, return: 0x0d, kill: 0x15, word: 0x17, delete: 0x7f, tab: 0x09 } as const
const SIGNALS: ReadonlyMap<number, 'SIGINT' | 'SIGQUIT'> = new Map([
  [0x03, 'SIGINT'],
  [0x1c, 'SIGQUIT'],
])
/** As long as a line may be; what is typed beyond it is lost (termios(3), canonical mode). */
const LINE_BYTES = 4095
const SPACE = 0x20
const NEWLINE = Buffer.from('\r\n')

/** The line that is being typed. */
export class LineDiscipline {
  #line: number[] = []

  /** Takes in what is typed; stops at what ends the program or its input. */
  type(bytes: Uint8Array): Typed {
    const input: number[] = []
    const echo: Buffer[] = []
    for (const byte of bytes) {
      const signal = SIGNALS.get(byte)
      if (signal !== undefined) {
        this.#line = []
        return { input: Buffer.from(input), echo: Buffer.concat([...echo, caret(byte)]), signal, isEnd: false }
      }
      if (byte === KEY.end && this.#line.length === 0)
        return { input: Buffer.from(input), echo: Buffer.concat(echo), signal: null, isEnd: true }
      if (byte === KEY.end) input.push(...this.#line.splice(0))
      else if (byte === KEY.newline || byte === KEY.return) {
        input.push(...this.#line.splice(0), KEY.newline)
        echo.push(NEWLINE)
      } else echo.push(this.#edit(byte))
    }
    return { input: Buffer.from(input), echo: Buffer.concat(echo), signal: null, isEnd: false }
  }

  /** What was typed of a line that nobody ends any more. */
  rest(): Buffer {
    return Buffer.from(this.#line.splice(0))
  }

  /** Does to the line what a key says, and gives what the screen shows of that. */
  #edit(byte: number): Buffer {
    if (byte === KEY.delete || byte === KEY.backspace) return erased(this.#erase())
    if (byte === KEY.kill) return erased(this.#eraseWhile(() => true))
    if (byte === KEY.word) {
      const spaces = this.#eraseWhile((last) => last === SPACE || last === KEY.tab)
      return erased(spaces + this.#eraseWhile((last) => last !== SPACE && last !== KEY.tab))
    }
    if (this.#line.length >= LINE_BYTES) return Buffer.alloc(0)
    this.#line.push(byte)
    return byte < SPACE && byte !== KEY.tab ? caret(byte) : Buffer.of(byte)
  }

  #eraseWhile(goesOn: (last: number) => boolean): number {
    let columns = 0
    for (let last = this.#line.at(-1); last !== undefined && goesOn(last); last = this.#line.at(-1)) columns += this.#erase()
    return columns
  }

  /** Takes back a character, of however many bytes of UTF-8, and says how many columns it had. */
  #erase(): number {
    for (let byte = this.#line.pop(); byte !== undefined; byte = this.#line.pop())
      if ((byte & 0xc0) !== 0x80) return byte < SPACE && byte !== KEY.tab ? 2 : 1
    return 0
  }
}

/** What a program writes, as a terminal shows it: each end of line goes back to the left. */
export function forScreen(bytes: Uint8Array): Uint8Array {
  const added = bytes.reduce((count, byte) => count + (byte === KEY.newline ? 1 : 0), 0)
  if (added === 0) return bytes
  const shown = Buffer.allocUnsafe(bytes.length + added)
  let at = 0
  for (const byte of bytes) {
    if (byte === KEY.newline) shown[at++] = KEY.return
    shown[at++] = byte
  }
  return shown
}

function erased(columns: number): Buffer {
  return Buffer.from('\b \b'.repeat(columns))
}

/** A control character as the screen shows it: ^C. */
function caret(byte: number): Buffer {
  return Buffer.from(`^${String.fromCharCode(byte ^ 0x40)}`)
}
