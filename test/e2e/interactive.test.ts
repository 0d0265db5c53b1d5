/** Programs that take the whole screen, job control, and leaving a terminal and coming back: at a real one, as a person uses them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine, type TerminalStep } from '../support/command-line.js'
import { BUSYBOX, NATIVE, program, WASM } from '../support/requirements.js'
import { type Requirement, suite } from '../support/suite.js'
import { wat } from '../support/wat.js'

const DEBIAN_TAR = process.env.WOLFFIA_DEBIAN_TAR ?? '/var/tmp/wolffia-debian.tar'
const DEBIAN: Requirement = {
  name: 'debian',
  missing: async () =>
    existsSync(DEBIAN_TAR) ? null : `no Debian root: set WOLFFIA_DEBIAN_TAR to a tar of one (${DEBIAN_TAR} is missing)`,
}
const PYTHON3 = program('python3')

const test = suite('e2e/interactive')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX, PYTHON3)
const wasm = test.needs(WASM, PYTHON3)

const PROMPT = '[#$] '
const [CTRL_C, CTRL_D, CTRL_V, CTRL_Z, ESCAPE] = ['\u0003', '\u0004', '\u0016', '\u001a', '\u001b']
const DETACH: TerminalStep = { send: '\u0010\u0011' }
/** To be shown the prompt: a shell that waits says nothing to who joins it. */
const RETURN: TerminalStep = { send: '\n' }
const NUMBERS = Array.from({ length: 300 }, (_, index) => `line ${index + 1}\n`).join('')

/** The cursor is put in that row, in brackets of its own: only a program does that which knows how large its terminal is. */
const inRow = (row: number) => `\u001b\\[${row};[01]H`

/** Runs a program at a terminal with a file of the host's at /file, and gives what became of that. */
async function overFile(words: readonly string[], steps: readonly TerminalStep[], content = NUMBERS) {
  await wolffia.busybox()
  const file = join(wolffia.folder, 'file')
  writeFileSync(file, content)
  const { code, stdout } = await wolffia.atTerminal(['run', '-it', '--rm', '-v', `${file}:/file`, 'busybox', ...words], steps)
  return { code, stdout, content: readFileSync(file, 'utf8') }
}

/** A guest that goes on in the background, with a terminal. */
async function inBackground(name: string, ...words: readonly string[]): Promise<void> {
  await wolffia.busybox()
  await wolffia.output('run', '-dit', '--name', name, 'busybox', ...(words.length > 0 ? words : ['sh']))
}

/** `running 0`, `exited 129`. */
async function stateOf(name: string): Promise<string> {
  return (await wolffia.output('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', name)).trim()
}

native('vi edits a file: what is typed is in it byte for byte, and the terminal is restored', async () => {
  const { code, stdout, content } = await overFile(
    ['vi', '/file'],
    [
      { expect: '/file 1/2' },
      { send: `onew${CTRL_V}\u0001line` },
      { expect: 'line' },
      { send: ESCAPE },
      { expect: `${inRow(24)}.*- /file .Modified. 2/3` },
      { send: ':%s/old/OLD/\r' },
      { expect: '2 substitutions on 2 lines' },
      { send: ':wq\r' },
    ],
    'old one\nold two\n',
  )
  assert.is(code, 0, stdout)
  assert.match(stdout, /terminal restored/)
  assert.is(content, 'OLD one\nnew\u0001line\nOLD two\n', stdout)
})

native('vi draws anew in the size that its terminal gets, and leaves a file alone that is not saved', async () => {
  const { code, stdout, content } = await overFile(
    ['vi', '/file'],
    [
      { expect: '/file 1/300' },
      { resize: [40, 100] },
      { expect: 'line 39' },
      { resize: [10, 60] },
      { expect: `${inRow(1)}line 1 ` },
      { send: 'G' },
      { expect: `${inRow(10)}.*300/300` },
      { send: 'dd:q!\r' },
    ],
  )
  assert.is(code, 0, stdout)
  assert.is(content, NUMBERS)
})

native('less scrolls, follows a resize and searches', async () => {
  const { code, stdout } = await overFile(
    ['less', '/file'],
    [
      { expect: `line 23\r\n.*${inRow(24)}` },
      { send: ' ' },
      { expect: `line 46\r\n.*${inRow(24)}` },
      { resize: [40, 100] },
      { expect: inRow(40) },
      { send: '/line 200\r' },
      { expect: 'line 200.*\r\n.*line 201' },
      { expect: `line 238\r\n.*${inRow(40)}` },
      { send: 'q' },
    ],
  )
  assert.is(code, 0, stdout)
  assert.match(stdout, /terminal restored/)
})

native('top draws again and again until q, and sees the processes of its container alone', async () => {
  const { code, stdout } = await overFile(
    ['top', '-d', '1'],
    [{ expect: 'top -d 1' }, { expect: 'CPU:' }, { expect: 'top -d 1' }, { expect: 'CPU:' }, { send: 'q' }],
  )
  assert.is(code, 0, stdout)
  const [, first = ''] = stdout.split(/COMMAND.*\r\n/)
  const programs = [...first.matchAll(/^ +\d+ +\d+ root .*% (\S+)/gm)].map(([, name]) => name)
  assert.equal(programs.sort(), ['top', 'wolffia-init'])
  assert.match(stdout, /terminal restored/)
})

/** What every shell does with ^Z, fg and ^C, in busybox's words and bash's. A program that gives a line with its number has the terminal. */
const JOBS: readonly TerminalStep[] = [
  { expect: PROMPT },
  { send: 'cat -n\n' },
  { expect: 'cat -n\r\n' },
  { send: 'one\n' },
  { expect: '1\tone' },
  { send: CTRL_Z },
  { expect: 'Stopped' },
  { expect: PROMPT },
  { send: "grep -l 'State:.T' /proc/[0-9]*/status >/dev/null && echo stop''ped\n" },
  { expect: 'stopped' },
  { expect: PROMPT },
  { send: 'fg\n' },
  { expect: 'fg\r\n' },
  { send: 'two\n' },
  { expect: '2\ttwo' },
  { send: CTRL_C },
  { expect: PROMPT },
  { send: "echo en''ded $?\n" },
  { expect: 'ended 130' },
  { expect: PROMPT },
  { send: 'exit 3\n' },
]

native('^Z stops a program, fg lets it go on, and ^C ends it, all three without the shell', async () => {
  const { code, stdout } = await overFile(['sh'], JOBS)
  assert.is(code, 3, stdout)
})

test.needs(
  NATIVE,
  DEBIAN,
  PYTHON3,
)('the same with the bash of a Debian', async () => {
  await wolffia.output('import', DEBIAN_TAR, 'debian')
  const { code, stdout } = await wolffia.atTerminal(['run', '-it', '--rm', 'debian', 'bash'], JOBS)
  assert.is(code, 3, stdout)
})

native('the detach keys leave a container that goes on as it was, and attach comes back to it', async () => {
  await wolffia.busybox()
  const left = await wolffia.atTerminal(
    ['run', '-it', '--name', 'left', 'busybox'],
    [{ expect: PROMPT }, { send: "x=kept; echo d''one\n" }, { expect: 'done' }, { expect: PROMPT }, DETACH],
  )
  assert.is(left.code, 0, left.stdout)
  assert.match(left.stdout, /terminal restored/)
  assert.is(await stateOf('left'), 'running 0')
  const back = await wolffia.atTerminal(
    ['attach', 'left'],
    [RETURN, { expect: PROMPT }, { send: 'echo $x\n' }, { expect: 'kept\r\n' }, { expect: PROMPT }, { send: 'exit 4\n' }],
  )
  assert.is(back.code, 4, back.stdout)
  assert.match(back.stdout, /terminal restored/)
})

native('a program that has the whole screen is drawn anew for who attaches', async () => {
  await inBackground('screen', 'sh', '-c', 'seq 100 >/file; exec vi /file')
  const { code, stdout } = await wolffia.atTerminal(['attach', 'screen'], [{ expect: `${inRow(22)}22` }, { send: ':q!\r' }])
  assert.is(code, 0, stdout)
})

native('two terminals at one container see the same, and one that leaves takes nothing with it', async () => {
  const ticks = 'stty -echo; (while sleep 0.1; do echo tick; done) & read a; read b; kill $!; echo both $a $b; read c; echo got $c; exit 5'
  await inBackground('shared', 'sh', '-c', ticks)
  const [leaves, stays] = await Promise.all([
    wolffia.atTerminal(['attach', 'shared'], [{ expect: 'tick' }, { send: 'here\n' }, { expect: 'both here here' }, DETACH]),
    wolffia.atTerminal(
      ['attach', 'shared'],
      [{ expect: 'tick' }, { send: 'here\n' }, { expect: 'both here here' }, { send: 'end\n' }, { expect: 'got end' }],
    ),
  ])
  assert.is(leaves.code, 0, leaves.stdout)
  assert.is(stays.code, 5, stays.stdout)
})

native('--detach-keys are what leaves it, and what is only their beginning goes to the guest', async () => {
  await wolffia.busybox()
  const { code, stdout } = await wolffia.atTerminal(
    ['run', '-it', '--name', 'keys', '--detach-keys', 'ctrl-x,q', 'busybox', 'sh', '-c', 'echo ready; exec cat -v'],
    [{ expect: 'ready' }, { send: '\u0018next\n' }, { expect: '\\^Xnext\r\n\\^Xnext' }, { send: '\u0018q' }],
  )
  assert.is(code, 0, stdout)
  assert.is(await stateOf('keys'), 'running 0')
  const again = await wolffia.atTerminal(
    ['attach', '--detach-keys', 'a', 'keys'],
    [{ send: 'b\n' }, { expect: 'b\r\n' }, { send: 'c' }, { expect: 'c' }, { send: 'a' }],
  )
  assert.is(again.code, 0, again.stdout)
  assert.is(await stateOf('keys'), 'running 0')
})

native('a window that is closed ends the guest of a run, as docker hands on SIGHUP', async () => {
  await wolffia.busybox()
  const { code, stdout } = await wolffia.atTerminal(['run', '-it', '--name', 'closed', 'busybox'], [{ expect: PROMPT }, { hangUp: true }])
  assert.is(code, 129, stdout)
  assert.is(await stateOf('closed'), 'exited 129')
})

native('a window that is closed over attach or start ends the command alone, as with docker', async () => {
  await wolffia.busybox()
  await wolffia.output('create', '-it', '--name', 'open', 'busybox')
  const started = await wolffia.atTerminal(
    ['start', '-ai', 'open'],
    [{ expect: PROMPT }, { send: 'x=kept\n' }, { expect: PROMPT }, { hangUp: true }],
  )
  assert.is(started.code, 129, started.stdout)
  assert.is(await stateOf('open'), 'running 0')
  const attached = await wolffia.atTerminal(['attach', 'open'], [RETURN, { expect: PROMPT }, { hangUp: true }])
  assert.is(attached.code, 129, attached.stdout)
  assert.is(await stateOf('open'), 'running 0')
  const ended = await wolffia.atTerminal(
    ['attach', 'open'],
    [RETURN, { expect: PROMPT }, { send: 'echo $x\n' }, { expect: 'kept\r\n' }, { expect: PROMPT }, { send: CTRL_D }],
  )
  assert.is(ended.code, 0, ended.stdout)
})

native('attach that is told to end restores the terminal, and the container goes on', async () => {
  await inBackground('told')
  const { code, stdout } = await wolffia.atTerminal(['attach', 'told'], [RETURN, { expect: PROMPT }, { signal: 15 }])
  assert.is(code, 143, stdout)
  assert.match(stdout, /terminal restored/)
  assert.is(await stateOf('told'), 'running 0')
})

native('^C asks a guest without a terminal to end, and a second one kills it', async () => {
  await wolffia.busybox()
  const { code, stdout } = await wolffia.atTerminal(
    ['run', '--rm', 'busybox', 'sh', '-c', 'trap "echo asked" INT; echo ready; while :; do sleep 0.1; done'],
    [{ expect: 'ready' }, { send: CTRL_C }, { expect: 'asked' }, { send: CTRL_C }],
  )
  assert.is(code, 137, stdout)
})

native('^C twice at a terminal of the guest is two keys for it', async () => {
  const { code, stdout } = await overFile(
    ['sh', '-c', 'trap "echo asked" INT; echo ready; while :; do sleep 0.1; done'],
    [{ expect: 'ready' }, { send: CTRL_C }, { expect: 'asked' }, { send: CTRL_C }, { expect: 'asked' }, { signal: 15 }],
  )
  assert.is(code, 143, stdout)
})

/** A module that says `ready`, and then what it reads. */
const ECHO = `(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00")
  (data (i32.const 16) "ready\\0a")
  (func (export "_start")
    (loop $again
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (br_if $again (i32.load (i32.const 8))))))`

/** Its image. */
async function echo(): Promise<string> {
  writeFileSync(join(wolffia.folder, 'echo.wasm'), wat(ECHO))
  await wolffia.output('import', 'echo.wasm', 'echo')
  return 'echo'
}

const READY: TerminalStep = { expect: 'ready\r\n' }

wasm('a module at a terminal reads lines, and ^D is their end', async () => {
  const { code, stdout } = await wolffia.atTerminal(
    ['run', '-it', '--rm', await echo()],
    [
      READY,
      { send: 'first\n' },
      { expect: 'first\r\nfirst\r\n' },
      { send: 'second\n' },
      { expect: 'second\r\nsecond\r\n' },
      { send: CTRL_D },
    ],
  )
  assert.is(code, 0, stdout)
  assert.match(stdout, /terminal restored/)
})

wasm('^C at the terminal ends a module', async () => {
  const { code, stdout } = await wolffia.atTerminal(['run', '-it', '--rm', await echo()], [READY, { send: CTRL_C }])
  assert.is(code, 130, stdout)
  assert.match(stdout, /terminal restored/)
})

wasm('a module is left by the detach keys, and attach comes back to it', async () => {
  const left = await wolffia.atTerminal(['run', '-it', '--name', 'module', await echo()], [READY, DETACH])
  assert.is(left.code, 0, left.stdout)
  assert.is(await stateOf('module'), 'running 0')
  const back = await wolffia.atTerminal(['attach', 'module'], [{ send: 'back\n' }, { expect: 'back\r\n.*back\r\n' }, { send: CTRL_D }])
  assert.is(back.code, 0, back.stdout)
})

wasm('a window that is closed ends the module of a run', async () => {
  const { code, stdout } = await wolffia.atTerminal(['run', '-it', '--name', 'shut', await echo()], [READY, { hangUp: true }])
  assert.is(code, 129, stdout)
  // A guest that reads its terminal may see its end before the signal, and one whose command is gone first is killed with it.
  let state = await stateOf('shut')
  for (let attempt = 0; attempt < 100 && state.startsWith('running'); attempt++) state = await stateOf('shut')
  assert.match(state, /^exited (129|137|0)$/, state)
})

test('nothing is left', () => wolffia.end())

test.run()
