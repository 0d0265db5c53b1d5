/** The store as its user sees it: what is removed by which word, what a check says, and that nothing stays when everything was removed. */
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { CheckReport } from '../../src/engine/check.js'
import { CommandLine } from '../support/command-line.js'
import { tarOf } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/store')
// What is checked of trees is those on disk.
process.env.WOLFFIA_HOLDER_BYTES = '0'
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)
const idOf = async (name: string) => (await wolffia.output('inspect', '-f', '{{.Id}}', name)).trim()

/** What this user has outside of the home: memory that is shared, and files in it. */
const outside = () => readdirSync('/dev/shm').sort()
const before = outside()

/** Files of the home but for the journal, which is kept on purpose, and what was found out about this host. */
function filesInHome(): readonly string[] {
  return readdirSync(wolffia.home, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => !/^events\.log|^probe\.json$/.test(name))
    .sort()
}

test('rmi prints what docker does: a name that goes is untagged, and with its last name an image is deleted', async () => {
  writeFileSync(join(wolffia.folder, 'small.tar'), tarOf({ file: 'x' }))
  await wolffia.output('import', 'small.tar', 'small')
  const id = await idOf('small')
  await wolffia.output('tag', 'small', 'other/name:2')
  const refused = await wolffia.run(['rmi', id])
  assert.is(refused.code, 1)
  assert.match(refused.stderr, /unable to delete .* \(must be forced\): the image has several names: small:latest, other\/name:2/)
  assert.is(await wolffia.output('rmi', 'small'), 'Untagged: small:latest\n')
  assert.is(await wolffia.output('rmi', `other/name@${id}`), `Untagged: other/name:2\nDeleted: ${id}\n`)
  await wolffia.output('import', 'small.tar', 'small')
  await wolffia.output('tag', 'small', 'again')
  const now = await idOf('small')
  assert.is(await wolffia.output('rmi', '-f', now.slice(7, 19)), `Untagged: small:latest\nUntagged: again:latest\nDeleted: ${now}\n`)
  assert.equal(filesInHome(), ['index.json', 'oci-layout'])
})

native('an image that a container uses stays unless forced, and that of one which runs in any case', async () => {
  await wolffia.busybox()
  const id = await idOf('busybox')
  await wolffia.output('create', '--name', 'still', 'busybox', 'true')
  assert.match((await wolffia.run(['rmi', 'busybox'])).stderr, /must be forced.*still/)
  await wolffia.output('run', '-d', '--name', 'running', 'busybox', 'sleep', '100')
  assert.match((await wolffia.run(['rmi', '-f', id])).stderr, /cannot be forced.*running/)
  assert.is(await wolffia.output('rmi', '-f', 'busybox'), 'Untagged: busybox:latest\n')
  assert.match(await wolffia.output('images', '-a', '--format', '{{.Repository}}'), /<none>/)
  assert.is(await wolffia.output('exec', 'running', 'echo', 'on'), 'on\n')
  await wolffia.output('tag', id, 'busybox')
  await wolffia.output('rm', '-f', 'running', 'still')
})

native('system check says that all is whole, what is damaged and what mends it, and ends with 1 as long as something is', async () => {
  await wolffia.output('run', '--rm', 'busybox', 'true')
  const whole = await wolffia.run(['system', 'check'])
  assert.is(whole.code, 0, whole.stdout)
  assert.match(whole.stdout, /^Checked in .*: 1 image, \d+ files of [\d.]+[kM]?B, 1 layer, 1 tree, 0 containers\nEverything is whole\.\n$/)
  const [layer = ''] = readdirSync(join(wolffia.home, 'layers'))
  rmSync(join(wolffia.home, 'layers', layer, 'index'))
  const damaged = await wolffia.run(['system', 'check'])
  assert.is(damaged.code, 1)
  assert.match(damaged.stdout, new RegExp(`^damaged layers/${layer} has lost its index\n {8}needed by busybox:latest\n`))
  assert.match(damaged.stdout, /1 of it is damaged\.\nwolffia system check --repair mends what needs nothing from elsewhere\.\n$/)
  const { whole: isWhole, damages } = JSON.parse((await wolffia.run(['system', 'check', '--json'])).stdout) as CheckReport
  assert.equal([isWhole, damages.map(({ kind, images }) => [kind, images])], [false, [['layer', ['busybox:latest']]]])
  const templated = await wolffia.run(['system', 'check', '--format', '{{.Whole}} {{range .Damages}}{{.Path}}{{end}}'])
  assert.equal([templated.code, templated.stdout], [1, `false layers/${layer}\n`])
  assert.is((await wolffia.run(['system', 'check', '--format', '{{'])).code, 64)
  const mended = await wolffia.run(['system', 'check', '--repair'])
  assert.is(mended.code, 0)
  assert.match(mended.stdout, new RegExp(`^mended {2}layers/${layer} has lost its index\n`))
  const manifest = join(wolffia.home, 'blobs/sha256', (await idOf('busybox')).slice(7))
  const bytes = readFileSync(manifest)
  rmSync(manifest)
  const lost = await wolffia.run(['system', 'check', '--repair'])
  assert.is(lost.code, 1)
  assert.match(lost.stdout, /is missing \(application\/vnd\.oci.*needed by busybox:latest\n.*wolffia load -i ARCHIVE/s)
  writeFileSync(manifest, bytes)
  chmodSync(manifest, 0o400)
  assert.is((await wolffia.run(['system', 'check', '--repair'])).code, 0)
  assert.is(await wolffia.output('run', '--rm', 'busybox', 'echo', 'again'), 'again\n')
})

native('save writes the folder of a layout, and refuses one that is there', async () => {
  await wolffia.output('save', '--format', 'oci-dir', '-o', 'layout', 'busybox')
  assert.equal(readdirSync(join(wolffia.folder, 'layout')).sort(), ['blobs', 'index.json', 'oci-layout'])
  assert.match((await wolffia.run(['save', '--format', 'oci-dir', '-o', 'layout', 'busybox'])).stderr, /layout is there already/)
  assert.match((await wolffia.run(['save', '--format', 'oci-dir', 'busybox'])).stderr, /cannot be written to stdout\nName it: -o FOLDER/)
  assert.match(await wolffia.output('load', '-i', 'layout'), /Loaded image: busybox:latest/)
})

native('after everything was removed disk, memory and processes are as before', async () => {
  delete process.env.WOLFFIA_HOLDER_BYTES
  process.env.WOLFFIA_HOLDER_SECONDS = '300'
  // The holder with it, so that the next one has memory to give.
  await wolffia.output('system', 'prune', '-f')
  await wolffia.output('run', '--name', 'written', '-v', '/data', 'busybox', 'sh', '-c', 'echo x > /data/x; echo y > /y')
  await wolffia.output('commit', 'written', 'committed')
  await wolffia.output(
    'run',
    '-d',
    '--name',
    'running',
    '--tmpfs',
    '/t',
    'committed',
    'sh',
    '-c',
    'dd if=/dev/zero of=/t/x bs=64k count=16; sleep 100',
  )
  await wolffia.output('stop', '-t', '0', 'running')
  await wolffia.output('system', 'prune', '-af', '--volumes')
  assert.equal(filesInHome(), ['index.json', 'oci-layout'])
  for (const name of ['containers', 'volumes', 'layers', 'ingest', 'blobs/sha256'])
    assert.equal(
      readdirSync(join(wolffia.home, name)).filter((each) => each !== 'names'),
      [],
      name,
    )
  assert.equal(wolffia.processes(), [])
  assert.equal(
    outside().filter((name) => name.includes('wolffia') && !before.includes(name)),
    [],
  )
  assert.equal(JSON.parse((await wolffia.run(['system', 'check', '--json'])).stdout).damages, [])
})

test('nothing is left', () => wolffia.end())

test.run()
