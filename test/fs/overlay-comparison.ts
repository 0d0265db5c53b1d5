/**
 * Sequences of calls on our union and on the kernel's overlay of the same layers, made by a guest of the native wall: the same answers, and the same
 * tree at the end. What the two do differently by intent stands in {@link overlayDiffers}.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { UnionFs } from '../../src/fs/union-fs.js'
import type { PackEntry } from '../../src/layer/pack.js'
import { openStoredLayer } from '../../src/rootfs/layer-stack.js'
import { compileGuest } from '../support/compile-guest.js'
import type { NativeWall } from '../support/native-wall.js'
import { fc } from '../support/properties.js'
import { containerSpec } from '../support/specs.js'
import { packEntry, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { PosixCalls } from './posix-calls.js'

/** A call as test/fixtures/calls.c reads it: its name and its fields. */
export type Call = readonly string[]

const directory = (path: string, mode = 0o755) => packEntry(path, { type: 'directory', mode, mtimeNs: 1_000_000_000n })
const file = (path: string, content: string) => packFile(path, content, { mtimeNs: 2_000_000_000n })

/** Two layers with everything that shows through, is hidden, replaced and merged, in a directory of its own for each sequence. */
function furniture(work: string): readonly (readonly PackEntry[])[] {
  return [
    [
      directory(work),
      directory(`${work}/a`),
      directory(`${work}/a/b`),
      file(`${work}/a/f`, 'lower'.repeat(100)),
      file(`${work}/a/b/f`, 'x'.repeat(150_000)),
      directory(`${work}/c`),
      file(`${work}/c/f`, 'hidden'),
      file(`${work}/c/gone`, 'gone'),
      directory(`${work}/d`),
      file(`${work}/d/f`, 'opaque'),
      file(`${work}/f`, 'file'),
      packEntry(`${work}/s`, { type: 'symlink', target: 'a', mode: 0o777 }),
      // One name of two, since the other layer hides the other.
      packEntry(`${work}/h`, { type: 'hardlink', target: `${work}/c/f` }),
      packEntry(`${work}/l`, { type: 'symlink', target: 'l', mode: 0o777 }),
    ],
    [
      directory(`${work}/c`, 0o700),
      file(`${work}/c/f`, 'upper'),
      packEntry(`${work}/c/.wh.gone`),
      directory(`${work}/d`),
      packEntry(`${work}/d/.wh..wh..opq`),
      packEntry(`${work}/a/t`, { type: 'symlink', target: '../c', mode: 0o777 }),
    ],
  ]
}

const name = fc.constantFrom('a', 'b', 'c', 'd', 'f', 's', 't', 'l', 'gone', 'new')
const path = fc.oneof(
  // Where something is at first, else most calls would find nothing.
  { weight: 12, arbitrary: fc.constantFrom('a', 'a/f', 'a/b', 'a/b/f', 'c', 'c/f', 'd', 'f', 's/f', 'a/t/f', 's/b/f') },
  { weight: 8, arbitrary: fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')) },
  { weight: 1, arbitrary: fc.constantFrom('n'.repeat(255), 'n'.repeat(256), `a/${'n'.repeat(256)}`, 'n/'.repeat(2050), '') },
  { weight: 1, arbitrary: fc.tuple(name, name).map(([first, second]) => `${first}/../${second}`) },
)
const slot = fc.constantFrom('0', '1', '2')
const size = fc.oneof(fc.nat(300), fc.nat(200_000), fc.constantFrom(0, 4095, 4096, 65_535, 65_536, 65_537)).map(String)
const length = fc.oneof(fc.nat(300), fc.nat(70_000)).map(String)
const byte = fc.integer({ min: 1, max: 255 }).map(String)
const mode = fc.constantFrom('700', '755', '640', '4755', '6711', '2644', '1777')
const time = fc.integer({ min: 0, max: 1_000_000_000 }).map((value) => String(value * 1001))
const is = fc.constant
const call: fc.Arbitrary<Call> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(is('open'), slot, fc.constantFrom('', 'c', 'cx', 'ct', 't', 'a', 'ca', 'n', 'cn', 'd', 'dn'), path) },
  { weight: 1, arbitrary: fc.tuple(is('close'), slot) },
  { weight: 3, arbitrary: fc.tuple(is('write'), slot, length, byte) },
  { weight: 3, arbitrary: fc.tuple(is('pwrite'), slot, size, length, byte) },
  { weight: 2, arbitrary: fc.tuple(is('pread'), slot, size, length) },
  { weight: 1, arbitrary: fc.tuple(is('ftruncate'), slot, size) },
  { weight: 2, arbitrary: fc.tuple(is('fstat'), slot) },
  { weight: 2, arbitrary: fc.tuple(is('mkdir'), path, mode) },
  { weight: 1, arbitrary: fc.tuple(is('symlink'), fc.oneof(path, fc.constantFrom('.', '..', 't', 'a/s')), path) },
  { weight: 2, arbitrary: fc.tuple(is('link'), path, path) },
  { weight: 3, arbitrary: fc.tuple(is('unlink'), path) },
  { weight: 2, arbitrary: fc.tuple(is('rmdir'), path) },
  { weight: 4, arbitrary: fc.tuple(is('rename'), path, path) },
  { weight: 1, arbitrary: fc.tuple(is('truncate'), path, size) },
  { weight: 1, arbitrary: fc.tuple(is('chmod'), path, mode) },
  { weight: 1, arbitrary: fc.tuple(is('utimens'), path, time, time) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('stat', 'lstat', 'readlink'), path) },
)

/** Runs the guest over the layers in the kernel's overlay, and gives its answers. */
async function kernelAnswers({ folder, runtime }: NativeWall, layers: Parameters<typeof storedRootfs>[0], calls: readonly Call[]) {
  const container = join(folder, 'container')
  mkdirSync(container)
  const id = 'e'.repeat(64)
  const spec = containerSpec({ process: { args: ['/calls'] } })
  const task = await runtime.create({ id, directory: container, spec, rootfs: storedRootfs(layers), openStdin: true })
  try {
    const [stdout, stderr] = [text(task.stdout), task.stderr === null ? '' : text(task.stderr)]
    await task.start()
    task.stdin?.end(Buffer.from(calls.map((each) => `${each.join('\t')}\n`).join(''), 'latin1'))
    assert.is((await task.wait()).exitCode, 0, await stderr)
    return (await stdout).split('\n').slice(0, -1)
  } finally {
    await task.delete()
    await runtime.discard(id, container)
  }
}

/**
 * What the kernel's overlay refuses and we do: to rename a directory that a layer has (EXDEV, and so programs copy), and to rename a layer's file over
 * another name of its own (ESTALE, where POSIX does nothing).
 */
const overlayDiffers = ([kind]: Call, answer: string) => kind === 'rename' && (answer === 'EXDEV' || answer === 'ESTALE')

/** Where both paths of a call are wrong, POSIX leaves open which of them is told. */
const bothWrong = ([kind = '']: Call, ours: string, answer: string) =>
  ['rename', 'link', 'symlink'].includes(kind) &&
  [ours, answer].every((each) => /^E[A-Z]+$/.test(each)) &&
  [ours, answer].includes('ENAMETOOLONG')

const told = (each: Call) => each.map((field) => (field.length > 40 ? `${field.slice(0, 9)}…${field.length}` : field)).join(' ')

/** Makes each sequence, in a directory of its own, of both trees, and fails where they differ. */
export async function compareWithKernel(wall: NativeWall, sequences: readonly (readonly Call[])[]): Promise<void> {
  const program = join(wall.folder, 'calls')
  await compileGuest('calls', program)
  const base = [packEntry('', { type: 'directory' }), packFile('calls', readFileSync(program), { mode: 0o755 })]
  const stacks = sequences.map((_, place) => furniture(`work-${place}`))
  const layers = [
    storeLayer(wall.folder, [...base, ...stacks.flatMap(([lower]) => lower ?? [])]),
    storeLayer(wall.folder, [packEntry('', { type: 'directory' }), ...stacks.flatMap(([, upper]) => upper ?? [])]),
  ]
  const all = sequences.map((sequence, place): Call[] => [
    ...['0', '1', '2'].map((each) => ['close', each]),
    ['chdir', `/work-${place}`],
    ...sequence,
    ['tree'],
  ])
  const answers = await kernelAnswers(wall, layers, all.flat())
  const opened = layers.map(openStoredLayer)
  try {
    const calls = new PosixCalls(new UnionFs({ lowers: opened }))
    let at = 0
    for (const [place, sequence] of all.entries()) {
      const begin = at
      for (const each of sequence) {
        const answer = answers[at++] ?? 'no answer'
        if (overlayDiffers(each, answer)) continue
        const ours = calls.perform(each)
        if (ours !== answer && !bothWrong(each, ours, answer))
          throw new Error(
            [
              `${told(each)} is`,
              ...ours.split('|'),
              'here, and for the kernel',
              ...answer.split('|'),
              'after',
              ...sequence.slice(0, at - begin).map((before, index) => `${told(before)} -> ${answers[begin + index]}`),
              `(sequence ${place})`,
            ].join('\n'),
          )
      }
    }
  } finally {
    for (const layer of opened) layer.close()
  }
}

/** Random sequences that a seed repeats. */
export function randomSequences(count: number, seed: number): readonly (readonly Call[])[] {
  return fc.sample(fc.array(call, { minLength: 5, maxLength: 60 }), { numRuns: count, seed })
}
