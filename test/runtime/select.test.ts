import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { ErrorCode } from '../../src/errors.js'
import { EngineError } from '../../src/errors.js'
import { findProgram } from '../../src/runtime/magic.js'
import type { Runtime } from '../../src/runtime/runtime.js'
import { selectRuntime } from '../../src/runtime/select.js'
import type { ContainerSpec, Rootfs } from '../../src/runtime/spec.js'
import type { LiteralDirectory } from '../support/literal-tree.js'
import { literalTree } from '../support/literal-tree.js'
import type { SpecChange } from '../support/specs.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/select')

const image: LiteralDirectory['entries'] = {
  usr: {
    entries: {
      bin: {
        entries: {
          tool: { content: '\x7fELF\x02', mode: 0o755 },
          notes: { content: 'plain', mode: 0o644 },
          module: { content: '\0asm\x01', mode: 0o644 },
          text: { content: 'plain', mode: 0o755 },
          script: { content: '#!/bin/sh\n', mode: 0o755 },
          loop: { target: 'loop' },
          über: { target: '../../../../../usr/bin/tool' },
        },
      },
    },
  },
  bin: { target: 'usr/bin' },
  opt: { entries: { notes: { content: '#!/x', mode: 0o755 }, away: { target: '/mounted/program' } } },
}
const rootfs: Rootfs = { layers: [], tree: () => literalTree(image) }

function wall(name: string, kinds: readonly string[], unavailable: string | null = null): Runtime {
  return {
    name,
    unavailable: () => Promise.resolve(unavailable),
    accepts: (spec, root) => kinds.includes(findProgram(spec, root)?.kind ?? 'none'),
    create: () => Promise.reject(new Error('not asked for')),
    open: () => Promise.resolve(null),
    readFile: () => Promise.reject(new Error('not asked for')),
    exec: () => Promise.reject(new Error('not asked for')),
    update: async () => {},
    lastEnd: () => Promise.resolve(null),
    written: () => Promise.resolve(null),
    files: () => {
      throw new Error('not asked for')
    },
    discard: () => Promise.resolve(),
  }
}

const native = wall('native', ['elf', 'script'])
const wasm = wall('wasm', ['wasm'])
const run = (command: string, change: SpecChange = {}): ContainerSpec =>
  containerSpec({ ...change, process: { ...change.process, args: [command] } })
const select = (name: string, spec: ContainerSpec, runtimes = [native, wasm]) => selectRuntime({ runtimes, name, spec, rootfs })

async function refused(code: ErrorCode, promise: Promise<unknown>): Promise<EngineError> {
  const error = await promise.then(
    () => assert.unreachable('it was not refused'),
    (reason: unknown) => reason,
  )
  assert.instance(error, EngineError)
  assert.is((error as EngineError).code, code)
  return error as EngineError
}

test('auto takes the wall that the first bytes ask for', async () => {
  assert.is(await select('auto', run('tool')), native)
  assert.is(await select('auto', run('/bin/script')), native)
  assert.is(await select('auto', run('module')), wasm)
})

test('a named wall that does not take the program says what to type', async () => {
  const behindWasm = await refused('WRONG_RUNTIME', select('wasm', run('tool')))
  assert.match(behindWasm.hint ?? '', '--runtime native')
  const behindNative = await refused('WRONG_RUNTIME', select('native', run('module')))
  assert.match(behindNative.hint ?? '', '--runtime wasm')
})

test('a wall that the host cannot give is an error with its reason, also for auto', async () => {
  const reason = 'user namespaces are off'
  const broken = [wall('native', ['elf'], reason), wasm]
  assert.match((await refused('RUNTIME_UNAVAILABLE', select('native', run('tool'), broken))).message, reason)
  assert.match((await refused('RUNTIME_UNAVAILABLE', select('auto', run('tool'), broken))).message, reason)
})

test('a wall that does not exist is an invalid argument', () => refused('INVALID_ARGUMENT', select('gvisor', run('tool'))))

test('a missing program is 127, one without an execute bit, a directory or of no known format 126', async () => {
  await refused('COMMAND_NOT_FOUND', select('auto', run('nothing')))
  await refused('COMMAND_NOT_FOUND', select('auto', run('/bin/loop')))
  await refused('COMMAND_NOT_EXECUTABLE', select('auto', run('/usr/bin')))
  await refused('COMMAND_NOT_EXECUTABLE', select('auto', run('/bin/notes')))
  await refused('COMMAND_NOT_EXECUTABLE', select('auto', run('text')))
})

test('PATH is searched in order, past files that cannot be executed, and symlinks stay inside', () => {
  const find = (command: string, path: string, cwd = '/') =>
    findProgram(containerSpec({ process: { args: [command], env: ['PATH=/nowhere', `PATH=${path}`], cwd } }), rootfs)?.path
  assert.is(find('tool', '/nowhere:/bin'), '/usr/bin/tool')
  assert.is(find('notes', '/bin:/opt'), '/opt/notes')
  assert.is(find('über', '/bin'), '/usr/bin/tool')
  assert.is(find('tool', ':/opt', '/usr/bin'), '/usr/bin/tool')
  assert.is(find('./tool', '', '/bin'), '/usr/bin/tool')
  assert.is(find('tool', '/opt'), undefined)
})

test('a program in a bind mount is read where the guest will see it, and never through a symlink out of it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-'))
  try {
    writeFileSync(join(folder, 'program'), '\0asm')
    symlinkSync('/bin/sh', join(folder, 'shell'))
    const mounts = [{ type: 'bind', source: folder, destination: '/mounted', readonly: true }] as const
    assert.is(findProgram(run('/mounted/program', { mounts }), rootfs)?.kind, 'wasm')
    assert.is(findProgram(run('/opt/away', { mounts }), rootfs)?.kind, 'wasm')
    assert.is(findProgram(run('/mounted/shell', { mounts }), rootfs), null)
    mkdirSync(join(folder, 'below/deeper'), { recursive: true })
    writeFileSync(join(folder, 'below/deeper/program'), '\0asm')
    assert.is(findProgram(run('/mounted/below/deeper/program', { mounts }), rootfs)?.kind, 'wasm')
    for (const target of ['/bin', '../../../../../../../../bin', 'below/deeper']) {
      symlinkSync(target, join(folder, 'link'))
      for (const path of ['/mounted/link/sh', '/mounted/link/program']) assert.is(findProgram(run(path, { mounts }), rootfs), null)
      rmSync(join(folder, 'link'))
    }
    const file = [{ type: 'bind', source: join(folder, 'program'), destination: '/file', readonly: true }] as const
    assert.is(findProgram(run('/file', { mounts: file }), rootfs)?.kind, 'wasm')
    assert.is(findProgram(run('/bin/tool', { mounts: [{ type: 'tmpfs', destination: '/usr', readonly: false }] }), rootfs), null)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
