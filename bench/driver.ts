import { execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { descendants } from './process-memory.js'

/** A program that ran once in the driver. */
export interface DriverRun {
  /** Start to exit. */
  readonly durationMs: number
  readonly exitCode: number
}

/** A program that was heard to its end. */
export interface DriverTalk extends DriverRun {
  /** Start to the first byte of standard output; null when there was none. */
  readonly firstByteMs: number | null
  /** All turns together. */
  readonly turnsMs: number
  /** The end of standard output, up to 64 KiB. */
  readonly output: string
}

/** Compiles `driver/driver.c` to `output`. Rejects with what the compiler said. */
export async function compileDriver(source: string, output: string): Promise<void> {
  await promisify(execFile)(process.env.CC ?? 'cc', ['-std=c11', '-O2', '-Wall', '-static', '-o', output, source])
}

/**
 * The small C parent that starts, waits and measures (`driver/driver.c`): the same for every mode that is a program, so that no mode
 * pays for Node's own spawn. Requests are answered in order.
 */
export class Driver implements AsyncDisposable {
  readonly #child
  readonly #waiting: ((line: string) => void)[] = []

  /** Starts it, in a session of its own, so that a ^C is for the harness alone; `command` is the compiled driver, with what shall run before it in front. */
  constructor(command: readonly [string, ...string[]], environment: NodeJS.ProcessEnv = process.env) {
    const [program, ...args] = command
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment, detached: true })
    this.#child.stdin.on('error', () => {})
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.(line))
    this.#child.on('close', (code) => {
      for (const answer of this.#waiting.splice(0)) answer(`error the driver ended with ${code}`)
    })
    this.#child.on('error', (error) => {
      for (const answer of this.#waiting.splice(0)) answer(`error ${error.message}`)
    })
  }

  /** Runs a program with nothing as stdio. Rejects when it cannot be started. */
  run(program: string, args: readonly string[]): Promise<DriverRun> {
    return this.#request(['plain', program, ...args])
  }

  /** Runs the launcher on a plan, letting its guest go when the receipt is there. */
  launch(launcher: string, planPath: string, seccompPath: string): Promise<DriverRun> {
    return this.#request(['launcher', planPath, seccompPath, launcher])
  }

  /**
   * Runs a program and reads its standard output through a pipe. With `turns` its standard input is one too, and after its first line
   * it is sent a byte and answers with one, so many times. One that is silent for a minute is killed, and rejects.
   */
  async talk(
    program: string,
    args: readonly string[],
    { keep, turns = 0 }: { readonly keep: string; readonly turns?: number },
  ): Promise<DriverTalk> {
    const { more, ...run } = await this.#request(['talk', keep, String(turns), program, ...args])
    const [first = 0, turned = 0] = more
    const output = await readFile(keep, 'latin1')
    return { ...run, firstByteMs: first === 0 ? null : first / 1e6, turnsMs: turned / 1e6, output }
  }

  /** Starts a program and leaves it running once it has printed something. Its pid. Rejects when it ends before. */
  async start(program: string, args: readonly string[]): Promise<number> {
    const { more } = await this.#request(['start', program, ...args])
    return more[0] ?? 0
  }

  /** Kills a process, and waits until a program of {@link start} has ended: that one, or the one that it runs. */
  kill(pid: number, victim = pid): Promise<DriverRun> {
    return this.#request(['kill', String(pid), String(victim)])
  }

  /** All that runs below the driver, whatever has left it there: pids. */
  running(): readonly number[] {
    return descendants(this.#child.pid ?? 0)
  }

  async #request(fields: readonly string[]): Promise<DriverRun & { readonly more: readonly number[] }> {
    if (this.#child.exitCode !== null) throw new Error(`the driver has ended with ${this.#child.exitCode}`)
    const line = await new Promise<string>((resolve) => {
      this.#waiting.push(resolve)
      this.#child.stdin.write(`${[fields.length, ...fields].join('\0')}\0`)
    })
    const answer = /^(\d+) (\d+)((?: \d+)*)$/.exec(line)
    if (!answer) throw new Error(line.replace(/^error /, ''))
    return { durationMs: Number(answer[1]) / 1e6, exitCode: Number(answer[2]), more: (answer[3] ?? '').trim().split(' ').map(Number) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const closed = new Promise((resolve) => this.#child.on('close', resolve))
    this.#child.stdin.end()
    await closed
  }
}
