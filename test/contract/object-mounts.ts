/**
 * What a file system of this process is as a mount, behind any wall: `objectMountContract` registers these tests for one. It is asked what is in
 * it after the guest's end: that either side sees at once what the other does is the Wasm wall's alone.
 */
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import type { NodeFsLike } from '../../src/fs/node-fs-like.js'
import type { ObjectMount } from '../../src/runtime/spec.js'
import type { RegisterTest } from '../support/suite.js'
import type { GuestStep } from './runtime.js'

/** Runs the steps with `volume` at /work, and gives the guest's output. */
export type RunWithObject = (
  volume: NodeFsLike,
  steps: readonly (GuestStep | readonly [string, ...(string | number)[]])[],
  mount?: Partial<ObjectMount>,
) => Promise<string>

/** Registers what holds behind every wall. */
export function objectMountContract(test: RegisterTest, run: RunWithObject): void {
  test('a guest reads what the host has put in, and the host what the guest has written', async () => {
    const volume = Volume.fromJSON({ '/in/text': 'from the host\n', '/empty': null })
    const output = await run(volume, [
      ['cat', '/work/in/text'],
      ['list', '/work'],
      ['mkdir', '/work/out'],
      ['write', '/work/out/a', 'from the guest'],
      ['append', '/work/in/text', 'and more'],
    ])
    assert.match(output, /from the host/)
    assert.equal(volume.toJSON(), { '/empty': null, '/in/text': 'from the host\nand more', '/out/a': 'from the guest' })
  })

  test('a guest renames, removes and links', async () => {
    const volume = Volume.fromJSON({ '/a': 'A', '/b': 'B', '/gone': 'x', '/dir/f': 'F', '/old/x': '' })
    await run(volume, [
      ['rename', '/work/a', '/work/b'],
      ['rename', '/work/dir', '/work/moved'],
      ['unlink', '/work/gone'],
      ['link', '/work/b', '/work/c'],
      ['unlink', '/work/old/x'],
      ['rmdir', '/work/old'],
      ['symlink', 'b', '/work/s'],
    ])
    assert.is(volume.readlinkSync('/s'), 'b')
    volume.unlinkSync('/s')
    assert.equal(volume.toJSON(), { '/b': 'A', '/c': 'A', '/moved/f': 'F' })
    assert.is(volume.statSync('/b').ino, volume.statSync('/c').ino)
  })

  test('a part of a file system is mounted, and the rest is not there', async () => {
    const volume = Volume.fromJSON({ '/part/f': 'in', '/secret': 'out' })
    const output = await run(
      volume,
      [
        ['cat', '/work/f'],
        ['cat', '/work/../secret'],
        ['cat', '/work/secret'],
        ['write', '/work/g', 'new'],
      ],
      {
        source: '/part',
      },
    )
    assert.not.match(output, /out/)
    assert.is(volume.readFileSync('/part/g', 'utf8'), 'new')
  })

  test('one that is read-only is not changed', async () => {
    const volume = Volume.fromJSON({ '/f': 'x', '/d': null })
    const steps = [
      ['write', '/work/f', 'y'],
      ['write', '/work/g', 'y'],
      ['unlink', '/work/f'],
      ['rename', '/work/f', '/work/g'],
      ['mkdir', '/work/e'],
      ['rmdir', '/work/d'],
    ] as const
    const output = await run(volume, steps, { readonly: true })
    assert.is(output.match(/ROFS/g)?.length, steps.length, output)
    assert.equal(volume.toJSON(), { '/d': null, '/f': 'x' })
  })

  test('a disk bomb ends with ENOSPC, and what the host had put in is not counted', async () => {
    const volume = Volume.fromJSON({ '/mine': 'x'.repeat(200_000) })
    const output = await run(volume, [['fill', '/work/bomb', 0]], { sizeBytes: 100_000 })
    assert.match(output, /NOSPC/)
    assert.ok(volume.statSync('/bomb').size <= 100_000)
    assert.is(volume.statSync('/mine').size, 200_000)
  })

  test('symlinks of the host that lead out, nowhere or to themselves lead nowhere else', async () => {
    const volume = Volume.fromJSON({ '/f': 'inside' })
    volume.symlinkSync('/etc/passwd', '/absolute')
    volume.symlinkSync('../../../../etc/passwd', '/up')
    volume.symlinkSync('loop', '/loop')
    const output = await run(volume, [
      ['readlink', '/work/absolute'],
      ['cat', '/work/absolute'],
      ['cat', '/work/up'],
      ['cat', '/work/loop'],
    ])
    assert.match(output, /\/etc\/passwd/)
    assert.not.match(output, /root:/)
  })
}
