/**
 * The command line as its user types it: `dist/cli.cjs` in a process of its own, over a home of its own.
 *
 * A test file has one home; its first image is imported when first wanted. The file's last test calls {@link CommandLine.end}, which
 * fails when a process, a mount or a container of that home is left.
 */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'

/** How a command ended and what it printed. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What a command is given beside its words. */
export interface Circumstances {
  /** Written to its stdin, which is then closed; without, stdin is empty. */
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

const PROGRAM = resolve('dist/cli.cjs')
const TERMINAL = resolve('test/support/terminal.py')

/** What a person at the terminal does. */
export interface TerminalStep {
  /** Waits until this has been shown. */
  readonly expect?: string
  /** Seconds in which nothing is done: for a shell to have begun what it was told. */
  readonly pause?: number
  readonly resize?: readonly [rows: number, columns: number]
  readonly send?: string
  readonly signal?: number
  /** Closes the terminal's window: the last step. */
  readonly hangUp?: boolean
}

/** One user's wolffia. */
export class CommandLine {
  readonly folder = mkdtempSync(join(tmpdir(), 'wolffia-e2e-'))
  readonly home = join(this.folder, 'home')
  #busybox: Promise<void> | null = null

  get #env(): NodeJS.ProcessEnv {
    // A word of this home in the environment of everything it starts: so what is left behind can be found.
    const path = `${dirname(process.execPath)}:${process.env.PATH}`
    // Nobody answers there: no test asks a registry of the world for an image that it has misspelt.
    const proxies = { HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' }
    const { WOLFFIA_HOLDER_SECONDS = '2', WOLFFIA_HOLDER_BYTES = '' } = process.env
    const holder = { WOLFFIA_HOLDER_SECONDS, WOLFFIA_HOLDER_BYTES }
    return { PATH: path, HOME: this.folder, LANG: 'C.UTF-8', TERM: 'xterm', WOLFFIA_HOME: this.home, ...proxies, ...holder }
  }

  /** Starts a command without waiting for it. */
  start(words: readonly string[], circumstances: Circumstances = {}) {
    return this.#spawn(PROGRAM, words, circumstances)
  }

  #spawn(program: string, words: readonly string[], { env = {}, cwd = this.folder }: Circumstances) {
    return spawn(program, words, { cwd, env: { ...this.#env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  }

  /** Runs a command to its end. */
  run(words: readonly string[], circumstances: Circumstances = {}): Promise<Ended> {
    return this.#ended(this.start(words, circumstances), circumstances)
  }

  /** Runs a line of shell to its end, in which `$wolffia` is the program. */
  inShell(line: string): Promise<Ended> {
    return this.#ended(this.#spawn('sh', ['-c', line], { env: { wolffia: PROGRAM } }), {})
  }

  async #ended(child: ChildProcessWithoutNullStreams, circumstances: Circumstances): Promise<Ended> {
    child.stdin.on('error', () => {})
    child.stdin.end(circumstances.input ?? '')
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    const [code, signal] = await once(child, 'close')
    return { code: code ?? `ended by ${signal}`, stdout, stderr }
  }

  /** Runs a command that must succeed and returns what it printed. */
  async output(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(words)
    assert.is(code, 0, `wolffia ${words.join(' ')} ended with ${code}: ${stderr}`)
    return stdout
  }

  /** Runs a command at a terminal. */
  async atTerminal(words: readonly string[], steps: readonly TerminalStep[]): Promise<Ended> {
    const child = execFile('python3', [TERMINAL, JSON.stringify(steps), PROGRAM, ...words], {
      env: this.#env,
      cwd: this.folder,
    })
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (text) => {
      stdout += text
    })
    child.stderr?.on('data', (text) => {
      stderr += text
    })
    const [code] = await once(child, 'close')
    return { code: code ?? -1, stdout, stderr }
  }

  /** The image `busybox`, made of this machine's static busybox the way a user would make one: a root folder, tarred, imported. */
  busybox(): Promise<void> {
    this.#busybox ??= this.#importBusybox()
    return this.#busybox
  }

  async #importBusybox(): Promise<void> {
    const root = join(this.folder, 'root')
    mkdirSync(join(root, 'etc'), { recursive: true })
    const script = `mkdir -p bin tmp root; cp /bin/busybox bin/busybox; chmod 755 bin/busybox
      for name in sh cat ls echo sleep true false id env pwd hostname touch mkdir rm ps kill tty stty mount head wc yes dd seq vi top less; do ln -sf busybox bin/$name; done
      printf 'root:x:0:0:root:/root:/bin/sh\\nweb:x:33:33::/srv:/bin/sh\\n' > etc/passwd; printf 'root:x:0:\\nweb:x:33:\\nstaff:x:50:web\\n' > etc/group
      printf 'not a program' > bin/text; chmod 644 bin/text; printf '#!/bin/nosuch\\n' > bin/orphan; chmod 755 bin/orphan
      tar --owner=0 --group=0 --numeric-owner -cf ../root.tar .`
    await promisify(execFile)('sh', ['-ec', script], { cwd: root })
    await this.output('import', '-c', 'CMD ["/bin/sh"]', 'root.tar', 'busybox')
  }

  /** Waits until `ps` shows a running container with this name. */
  async untilRunning(name: string): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (new RegExp(`\\bUp .*\\b${name}\\b`).test((await this.run(['ps'])).stdout)) return
      await sleep(25)
    }
    throw new Error(`container ${name} does not run`)
  }

  /** Names of containers' folders. */
  containers(): readonly string[] {
    const folder = join(this.home, 'containers')
    return existsSync(folder) ? readdirSync(folder).filter((name) => name !== 'names') : []
  }

  /** Processes that carry this home in their environment or command line, or whose root is below it, by their command lines. */
  processes(): readonly string[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .flatMap((pid) => {
        // Any of them may end while it is looked at.
        const read = (file: string) => {
          try {
            return file === 'root' ? readlinkSync(`/proc/${pid}/root`) : readFileSync(`/proc/${pid}/${file}`, 'latin1')
          } catch {
            return ''
          }
        }
        const found = ['environ', 'cmdline', 'mountinfo', 'root'].some((file) => read(file).includes(this.folder))
        return found ? [`${pid} ${read('cmdline').replaceAll('\0', ' ')}`] : []
      })
  }

  /** Removes everything by the commands a user has for it, and fails when anything is left. */
  async end(): Promise<void> {
    const kept = (await this.output('ps', '-aq')).split('\n').filter(Boolean)
    if (kept.length > 0) await this.output('rm', '-f', ...kept)
    assert.equal(this.containers(), [], 'containers are left')
    await this.output('volume', 'prune', '-af')
    const images = (await this.output('images', '-q')).split('\n').filter(Boolean)
    if (images.length > 0) await this.output('rmi', '-f', ...images)
    for (let attempt = 0; this.processes().length > 0 && attempt < 400; attempt++) await sleep(50)
    assert.equal(this.processes(), [], 'processes are left')
    assert.not.ok(readFileSync('/proc/self/mountinfo', 'utf8').includes(this.folder), 'a mount is left')
    rmSync(this.folder, { recursive: true })
  }
}
