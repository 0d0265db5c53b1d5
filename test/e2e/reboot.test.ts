/**
 * A reboot in the middle of everything: what the boot before was about to do is nobody's. Identities of its processes may look as those of
 * processes that run now, for pids and start times come again; only the boot tells them apart.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import type { CheckReport } from '../../src/engine/check.js'
import { bootId, ownIdentity } from '../../src/store/process-identity.js'
import { CommandLine } from '../support/command-line.js'
import { tarOf } from '../support/image-fixtures.js'
import { RegistryServer, sha256 } from '../support/registry-server.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/reboot')
// Trees on disk are what outlives a boot.
process.env.WOLFFIA_HOLDER_BYTES = '0'
const wolffia = new CommandLine()
const OTHER_BOOT = 'b007'.repeat(8)
const LAYER = tarOf({ 'bin/file': 'x'.repeat(50_000) })

/** All that this boot has written becomes that of another. */
function rewriteBoot(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    // What guests see is none of wolffia's words.
    if (entry.isDirectory() && !['tree', 'upper', 'work', 'blobs'].includes(entry.name)) rewriteBoot(path)
    if (entry.isFile() && statSync(path).size < 1_000_000) {
      const text = readFileSync(path, 'latin1')
      if (text.includes(bootId())) writeFileSync(path, text.replaceAll(bootId(), OTHER_BOOT), 'latin1')
    }
    if (entry.name.includes(bootId())) renameSync(path, join(dirname(path), basename(path).replaceAll(bootId(), OTHER_BOOT)))
  }
}

test.needs(NATIVE, BUSYBOX)(
  'after a reboot nobody waits for the boot before, its unfinished work is gone, and what was kept goes on',
  async () => {
    await wolffia.busybox()
    await using server = await RegistryServer.start()
    server.repository('app').image([LAYER], { tags: ['1'] })
    await wolffia.output('run', '-d', '--name', 'kept', 'busybox', 'sh', '-c', 'echo kept > /kept; exec sleep 1000')
    await wolffia.output('exec', 'kept', 'sh', '-c', 'until [ -s /kept ]; do sleep 0.1; done')
    for (const pid of wolffia.processes()) process.kill(Number(pid), 'SIGKILL')
    // This test's own process, in another boot: alive for whoever looks at the pid alone.
    const identity = ownIdentity().replace(bootId(), OTHER_BOOT)
    const hex = sha256(LAYER).slice(7)
    for (const lock of ['store', `fetch-${hex.slice(0, 2)}`]) {
      mkdirSync(join(wolffia.home, 'locks', lock), { recursive: true })
      for (const claim of ['1', 'choosing']) writeFileSync(join(wolffia.home, 'locks', lock, `${claim}-${identity}-0123456789ab`), '')
    }
    const ingest = join(wolffia.home, 'ingest', `${identity}-0123456789ab`)
    mkdirSync(ingest, { recursive: true })
    writeFileSync(join(ingest, 'unfinished-0'), 'half of it')
    // Half of the very layer that is pulled below.
    writeFileSync(join(ingest, hex), LAYER.subarray(0, 1000))
    rewriteBoot(wolffia.home)

    const report = JSON.parse((await wolffia.run(['system', 'check', '--json'])).stdout) as CheckReport
    assert.ok(
      report.damages.some(({ kind, path }) => kind === 'leftover' && path.startsWith('ingest/')),
      JSON.stringify(report.damages),
    )
    assert.match(await wolffia.output('ps', '-a', '--format', '{{.Names}} {{.Status}}'), /^kept Exited/)
    assert.is(await wolffia.output('pull', '-q', `${server.host}/app:1`), `${server.host}/app:1\n`)
    assert.equal(readdirSync(join(wolffia.home, 'ingest')), [])
    await wolffia.output('start', 'kept')
    assert.is(await wolffia.output('exec', 'kept', 'cat', '/kept'), 'kept\n')
    await wolffia.output('rm', '-f', 'kept')
    await wolffia.run(['system', 'check', '--repair'])
    const after = JSON.parse((await wolffia.run(['system', 'check', '--json'])).stdout) as CheckReport
    assert.equal(after.damages, [])
  },
  { timeoutMs: 120_000 },
)

test('nothing is left', () => wolffia.end())

test.run()
