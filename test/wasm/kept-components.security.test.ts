/** What components were transpiled to is kept for the next run, and what others try with that. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { componentOf, componentText } from '../support/components.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { guestBytes, makeRootfs, type WallResult, withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/kept-components.security')
const hello = await componentOf(guestBytes('hello'))
const FILES = { '/hello.wasm': hello }
const ARGS = ['/hello.wasm']
const HELLO = 'hello from wasm\n'
const BEFORE = 'transpiled by jco before'
const HEADER_BYTES = 512

/** What is kept, by its path. */
function kept(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('component-'))
    .map((name) => join(folder, name))
}

function theOne(folder: string): string {
  const [path, ...others] = kept(folder)
  assert.equal(others, [])
  return path ?? ''
}

/** How it went: what it wrote, and whether its sandbox was given what it was transpiled to. */
function said({ stdout, receipt }: WallResult): readonly [string, boolean] {
  return [stdout, receipt.wasm?.engine.includes(BEFORE) === true]
}

test('a component is transpiled once, by a process of its own, and no run after that does it again', () =>
  withWasmWall(FILES, async ({ run, folder }) => {
    assert.equal(said(await run(ARGS)), [HELLO, true])
    const { ino, mtimeNs } = statSync(theOne(folder), { bigint: true })
    assert.equal(said(await run(ARGS)), [HELLO, true])
    const after = statSync(theOne(folder), { bigint: true })
    assert.equal([after.ino, after.mtimeNs], [ino, mtimeNs])
  }))

test('a program that is no component leaves nothing', () =>
  withWasmWall({ '/hello.wasm': guestBytes('hello') }, async ({ run, folder }) => {
    assert.is((await run(ARGS)).stdout, HELLO)
    assert.equal(kept(folder), [])
  }))

test('two first runs at once both end well, and leave one file', () =>
  withWasmWall(FILES, async ({ run, folder }) => {
    const both = await Promise.all([run(ARGS), run(ARGS)])
    assert.equal(both.map(said), [
      [HELLO, true],
      [HELLO, true],
    ])
    assert.is(kept(folder).length, 1)
  }))

const CHANGES: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'a byte of the JavaScript is another': (bytes) => {
    const at = bytes.indexOf('export function instantiate(')
    bytes[at + 'export function '.length] = 'I'.charCodeAt(0)
    return bytes
  },
  'its end is cut off': (bytes) => bytes.subarray(0, bytes.length - 1),
  'only its beginning is there': (bytes) => bytes.subarray(0, HEADER_BYTES - 7),
  'it is empty': () => Buffer.alloc(0),
  'it is of another transpiler': (bytes) => Buffer.from(bytes.toString('latin1').replace(/"transpiler":"../, '"transpiler":"zz'), 'latin1'),
  'it is of another Node': (bytes) =>
    Buffer.from(
      bytes.toString('latin1').replace(process.version, 'v20.0.9999'.slice(0, process.version.length).padEnd(process.version.length, '9')),
      'latin1',
    ),
  'it is of another format': (bytes) => Buffer.from(bytes.toString('latin1').replace('"format":1', '"format":0'), 'latin1'),
  'it names another component': (bytes) =>
    Buffer.from(bytes.toString('latin1').replace(/"component":"sha256:../, '"component":"sha256:zz'), 'latin1'),
}
for (const [name, change] of Object.entries(CHANGES))
  test(`what is kept is made anew when ${name}`, () =>
    withWasmWall(FILES, async ({ run, folder, rootfs }) => {
      await run(ARGS)
      const path = theOne(folder)
      const sound = readFileSync(path)
      writeFileSync(path, change(Buffer.from(sound)))
      // The same wall, and one that has never looked at it.
      assert.equal(said(await run(ARGS)), [HELLO, true])
      assert.ok(readFileSync(path).equals(sound))
      writeFileSync(path, change(Buffer.from(sound)))
      await withWasmWall(FILES, async (other) => {
        assert.equal(said(await other.run(ARGS, { request: { rootfs } })), [HELLO, true])
      })
      assert.ok(readFileSync(path).equals(sound))
    }))

test('where nothing can be kept, each run transpiles for itself', () =>
  withWasmWall(FILES, async ({ run, folder }) => {
    const readonly = mkdtempSync(join(folder, 'readonly-'))
    const rootfs = makeRootfs(readonly, FILES)
    chmodSync(readonly, 0o500)
    try {
      for (let time = 0; time < 2; time++) assert.equal(said(await run(ARGS, { request: { rootfs } })), [HELLO, false])
      assert.equal(kept(readonly), [])
    } finally {
      chmodSync(readonly, 0o700)
    }
  }))

test('where its name cannot be had, a run transpiles for itself and leaves no half of a file', () =>
  withWasmWall(FILES, async ({ run, folder }) => {
    await run(ARGS)
    const path = theOne(folder)
    rmSync(path)
    mkdirSync(join(path, 'taken'), { recursive: true })
    assert.equal(said(await run(ARGS)), [HELLO, false])
    assert.equal(kept(folder), [path])
  }))

test('what another component was transpiled to is not taken for this one under its name', async () => {
  const other = await componentOf(guestBytes('probe'))
  await withWasmWall({ ...FILES, '/other.wasm': other }, async ({ run, folder }) => {
    await run(ARGS)
    const path = theOne(folder)
    await run(['/other.wasm', 'echo'])
    const [foreign = ''] = kept(folder).filter((each) => each !== path)
    copyFileSync(path, foreign)
    const { stdout, receipt } = await run(['/other.wasm', 'echo'], { stdin: 'mine' })
    assert.equal([stdout, receipt.wasm?.engine.includes(BEFORE)], ['mine', true])
    assert.not(readFileSync(foreign).equals(readFileSync(path)))
  })
})

test('what a component asks its sandbox to transpile by exec is not kept: a guest has run there', async () => {
  await withWasmWall(FILES, async ({ create, runtime, folder }) => {
    const directory = mkdtempSync(join(folder, 'running-'))
    const spec = containerSpec({ process: { args: ['/probe.wasm', 'echo'] } })
    const task = await create(['/probe.wasm', 'echo'], {}, { directory })
    await task.start()
    const process = { ...spec.process, args: ARGS }
    const further = await runtime.exec({ id: 'x', directory, spec, process, openStdin: false, outlives: false, endRecord: null })
    const output = text(further.stdout)
    await further.start()
    assert.equal([(await further.wait()).exitCode, await output], [0, HELLO])
    assert.equal(kept(folder), [])
    task.stdin?.end()
    await task.wait()
  })
})

test('a component that cannot run is refused by name as ever, and leaves nothing', async () => {
  const foreign = await componentText(`(component (import "other:thing/x@1.0.0" (instance)))`)
  await withWasmWall({ '/x.wasm': foreign }, async ({ run, folder }) => {
    const error = await run(['/x.wasm']).catch((reason) => reason)
    assert.is(error.code, 'COMMAND_NOT_EXECUTABLE')
    assert.equal(kept(folder), [])
  })
})

test('without the native wall it is kept the same', () =>
  withWasmWall(
    FILES,
    async ({ run, folder }) => {
      assert.equal(said(await run(ARGS)), [HELLO, true])
      assert.equal(said(await run(ARGS)), [HELLO, true])
      assert.ok(existsSync(theOne(folder)))
    },
    { nativeWall: 'never' },
  ))

test.run()
