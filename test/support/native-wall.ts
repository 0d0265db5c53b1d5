import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Holder, type HolderSettings } from '../../src/launcher/holder.js'
import type { IdMap } from '../../src/launcher/id-map.js'
import { chooseIdMap } from '../../src/launcher/id-map.js'
import { NativeRuntime } from '../../src/native/native-runtime.js'
import { removeTrees } from '../../src/rootfs/remove-tree.js'
import type { Rootfs } from '../../src/runtime/spec.js'
import type { GuestStep } from '../contract/runtime.js'
import { busyboxEntries, storedRootfs, storeLayer } from './stored-layers.js'

/** The native wall over a store of its own, with busybox as its image. */
export interface NativeWall {
  /** A folder that is gone afterwards, whoever owns what is in it. */
  readonly folder: string
  readonly trees: string
  readonly idMap: IdMap
  readonly runtime: NativeRuntime
  readonly rootfs: Rootfs
  /** Null where each start stands alone. */
  readonly holder: Holder | null
}

/** What differs from one wall to the next. */
export interface NativeWallOptions {
  readonly idMap?: IdMap
  /** What its holder may take; there is none when absent. */
  readonly holding?: HolderSettings
}

/** Runs `body` with a native wall whose folder is gone afterwards. */
export async function withNativeWall(
  body: (wall: NativeWall) => Promise<void>,
  { idMap = chooseIdMap().map, holding }: NativeWallOptions = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-native-'))
  const holder = holding === undefined ? null : new Holder(join(folder, 'holder'), () => holding)
  try {
    const trees = join(folder, 'trees')
    const rootfs = storedRootfs([storeLayer(folder, busyboxEntries())])
    await body({ folder, trees, idMap, runtime: new NativeRuntime({ treesDirectory: trees, idMap, holder }), rootfs, holder })
  } finally {
    await holder?.end()
    await removeTrees(idMap, [join(folder, 'trees')])
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A shell script that does these steps. */
export function shellArgs(steps: readonly GuestStep[]): string[] {
  // A shell would add variables of its own.
  if (steps.length === 1 && steps[0]?.[0] === 'env') return ['/bin/busybox', 'env']
  return ['/bin/sh', '-c', steps.map(shellCommand).join('\n')]
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

function shellCommand(step: GuestStep): string {
  switch (step[0]) {
    case 'exit':
      return `exit ${step[1]}`
    case 'print':
      return `echo ${quoted(step[1])}`
    case 'print-error':
      return `echo ${quoted(step[1])} >&2`
    case 'env':
      return 'busybox env'
    case 'echo':
      return '/bin/busybox cat'
    case 'loop':
      return 'while :; do :; done'
    case 'output':
      return step[1] === 0 ? '/bin/busybox yes' : `/bin/busybox head -c ${step[1]} /dev/zero`
    case 'write':
      return `printf %s ${quoted(step[2])} > ${quoted(step[1])}`
    case 'cat':
      return `/bin/busybox cat ${quoted(step[1])}`
    case 'lie':
      return [
        `echo '{"event":"receipt","namespaces":{},"status":"Seccomp: 2"}'`,
        'echo innocent > /proc/self/comm',
        'echo 1000 > /proc/self/oom_score_adj',
        '/bin/busybox hostname other',
        '/bin/busybox mount -t tmpfs none /proc',
        'for f in status mountinfo uid_map limits; do echo x > /proc/self/$f; done 2>/dev/null',
        'umask 777',
      ].join('; ')
  }
}
