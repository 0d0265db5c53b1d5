/** A container in which its user's own ids are what they are outside (`--userns keep-id`), or what he says. */
import { lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { chooseIdMap, type KeptIds, keptIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import { captureUpper, listRecords } from '../../src/rootfs/capture.js'
import type { Receipt } from '../../src/runtime/receipt.js'
import { type NativeWall, type NativeWallOptions, withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import { containerSpec, type SpecChange } from '../support/specs.js'
import { busyboxEntries, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('native/keep-id')
const single = test.needs(NATIVE, BUSYBOX)
const range = test.needs(NATIVE, BUSYBOX, ID_RANGE)

const OWN = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
let containers = 0

interface Ran {
  readonly stdout: string
  readonly receipt: Receipt
  readonly exitCode: number | null
}

/** Runs a script as a user, in a container whose user's ids are `kept`, and lets `look` see its folder before it is gone. */
async function shell(
  wall: NativeWall,
  script: string,
  {
    kept = OWN,
    user = kept,
    change = {},
    look,
  }: { kept?: KeptIds; user?: KeptIds; change?: SpecChange; look?: (folder: string) => Promise<void> } = {},
): Promise<Ran> {
  const directory = join(wall.folder, `container-${++containers}`)
  mkdirSync(directory)
  const rootfs = storedRootfs([storeLayer(wall.folder, [...busyboxEntries(), packFile('web', 'w', { uid: 33, gid: 33 })])])
  const spec = containerSpec({
    privileges: { keepId: kept },
    ...change,
    process: { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'], user: { ...user, additionalGids: [] } },
  })
  const task = await wall.runtime.create({ id: `c${containers}`, directory, spec, rootfs, openStdin: false })
  try {
    const receipt = await task.receipt()
    const stdout = text(task.stdout)
    await task.start()
    const { exitCode } = await task.wait()
    await look?.(directory)
    return { stdout: await stdout, receipt, exitCode }
  } finally {
    await task.delete()
    await wall.runtime.discard('', directory)
  }
}

/** A folder of the user's, as `/mine`. */
function mine(wall: NativeWall): { readonly folder: string; readonly change: SpecChange } {
  const folder = join(wall.folder, 'mine')
  mkdirSync(folder)
  return { folder, change: { mounts: [{ type: 'bind', source: folder, destination: '/mine', readonly: false }] } }
}

const owner = (path: string) => {
  const { uid, gid } = lstatSync(path)
  return [uid, gid]
}

const HOLDERS: readonly (readonly [string, NativeWallOptions])[] = [
  ['by the helpers', {}],
  ['below a holder', { holding: { seconds: 60, memoryBytes: 64 << 20 } }],
]

const WHO = 'busybox id -u; busybox id -g'
const OWNERS = 'busybox stat -c %u:%g / /bin/busybox /web /dev/null /etc/hosts /tmp'

for (const [how, options] of HOLDERS) {
  range(`its user is himself inside, the image’s owners are who they are, and what he writes is his (${how})`, () =>
    withNativeWall(async (wall) => {
      const { folder, change } = mine(wall)
      const { stdout, receipt } = await shell(wall, `${WHO}; busybox stat -c %u:%g /mine; echo x > /mine/file; ${OWNERS}`, { change })
      const own = `${OWN.uid}:${OWN.gid}`
      assert.equal(stdout.trimEnd().split('\n'), [`${OWN.uid}`, `${OWN.gid}`, own, '0:0', '0:0', '33:33', '65534:65534', '0:0', '0:0'])
      assert.equal(owner(join(folder, 'file')), [OWN.uid, OWN.gid])
      assert.ok(receipt.kernel?.idMap.uid.some(([inside, outside, count]) => inside === OWN.uid && outside === OWN.uid && count === 1))
      assert.equal(Object.values(receipt.kernel?.capabilities ?? {}), Array(5).fill('0000000000000000'))
      assert.ok(Object.values(receipt.crossCheck).every(Boolean), JSON.stringify(receipt.crossCheck))
    }, options),
  )

  range(`root inside is a subordinate id, with no more than root of any container (${how})`, () =>
    withNativeWall(async (wall) => {
      const { folder, change } = mine(wall)
      const script = `${WHO}; echo x > /mine/file; busybox chown 33:33 /web /mine/file; busybox stat -c %u:%g /web; busybox grep Cap /proc/1/status`
      const { stdout, receipt } = await shell(wall, script, { change, user: { uid: 0, gid: 0 } })
      const [uid, gid, web, ...init] = stdout.trimEnd().split('\n')
      assert.equal([uid, gid, web], ['0', '0', '33:33'])
      const [range] = chooseIdMap().map.uids.slice(1)
      assert.is(owner(join(folder, 'file'))[0], (range?.outside ?? 0) + 33)
      // What carried the launcher through its own execve is gone: init keeps CAP_KILL alone, and hands nothing on.
      assert.equal(
        init.map((line) => line.split('\t').slice(0, 2).join(' ')).filter((line) => /Inh|Amb|Eff/.test(line)),
        ['CapInh: 0000000000000000', 'CapEff: 0000000000000020', 'CapAmb: 0000000000000000'],
      )
      assert.is(receipt.kernel?.capabilities.ambient, '0000000000000000')
      assert.is(receipt.kernel?.capabilities.inheritable, '0000000000000000')
    }, options),
  )
}

range('his ids may be others inside: 0, one in the range, one beyond it', () =>
  withNativeWall(async (wall) => {
    const { folder, change } = mine(wall)
    const ids: readonly KeptIds[] = [
      { uid: 0, gid: 0 },
      { uid: 33, gid: 5 },
      { uid: 2_000_000_000, gid: 65_536 },
    ]
    for (const kept of ids) {
      const file = `${kept.uid}`
      const { stdout } = await shell(wall, `${WHO}; echo x > /mine/${file}; busybox stat -c %u:%g /bin/busybox`, { change, kept })
      assert.is(stdout, `${kept.uid}\n${kept.gid}\n0:0\n`)
      assert.equal(owner(join(folder, file)), [OWN.uid, OWN.gid])
    }
  }),
)

range('what is written on disk is read back with the numbers that it has inside', () =>
  withNativeWall(async (wall) => {
    const look = async (directory: string) => {
      const paths = await listRecords(captureUpper(keptIdMap(wall.idMap, OWN), join(directory, 'native', 'upper')))
      const found = new Map(paths.map(({ path, uid, gid }) => [path, [uid, gid]]))
      assert.equal(found.get('tmp/roots'), [0, 0])
      assert.equal(found.get('tmp/his'), [OWN.uid, OWN.gid])
    }
    const script = `busybox touch /tmp/roots /tmp/his; busybox chown ${OWN.uid}:${OWN.gid} /tmp/his`
    assert.is((await shell(wall, script, { user: { uid: 0, gid: 0 }, change: { ephemeral: false }, look })).exitCode, 0)
  }),
)

range('its trees are a copy of their own, once, and those of other containers stay as they are', () =>
  withNativeWall(async (wall) => {
    const names = () =>
      readdirSync(wall.trees)
        .filter((name) => name.startsWith('range-'))
        .sort()
    await shell(wall, 'true')
    await shell(wall, 'true')
    assert.equal(names(), [keptIdMap(wall.idMap, OWN).key])
    await shell(wall, 'true', { change: { privileges: {} }, user: { uid: 0, gid: 0 } })
    assert.equal(names(), [wall.idMap.key, keptIdMap(wall.idMap, OWN).key])
    assert.is((await shell(wall, 'busybox stat -c %u:%g /bin/busybox')).stdout, '0:0\n')
  }),
)

for (const kept of [OWN, { uid: 33, gid: 5 }])
  single(`under a single id he is ${kept === OWN ? 'himself' : 'who he says'} and there is nobody else`, () =>
    withNativeWall(
      async (wall) => {
        const { folder, change } = mine(wall)
        const script = `${WHO}; echo x > /mine/file; busybox touch /tmp/x; busybox stat -c %u:%g /bin/busybox /web /mine /tmp/x; busybox cat /web`
        const { stdout, receipt } = await shell(wall, script, { change, kept })
        const ids = `${kept.uid}:${kept.gid}`
        assert.equal(stdout.split('\n'), [`${kept.uid}`, `${kept.gid}`, ids, ids, ids, ids, 'w'])
        assert.equal(owner(join(folder, 'file')), [OWN.uid, OWN.gid])
        assert.equal(Object.values(receipt.kernel?.capabilities ?? {}), Array(5).fill('0000000000000000'))
        assert.ok(Object.values(receipt.crossCheck).every(Boolean), JSON.stringify(receipt.crossCheck))
        const root = shell(wall, 'true', { kept, user: { uid: 0, gid: 0 } })
        const refused = await root.catch((error: unknown) => error)
        if (!(refused instanceof EngineError)) throw new Error('root was not refused')
        assert.is(refused.code, 'UNSUPPORTED_BY_HOST')
        assert.match(refused.hint ?? '', `--user ${kept.uid}`)
      },
      { idMap: singleIdMap() },
    ),
  )

test.run()
