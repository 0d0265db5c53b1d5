import { readFileSync } from 'node:fs'
import { availableParallelism, hostname, release, totalmem } from 'node:os'
import { type IdMap, livingHolder } from '../launcher/id-map.js'
import { pidOf } from '../store/process-identity.js'
import type { Engine } from './engine.js'
import { storeIdMap } from './store-id-map.js'
import { versionReport } from './version.js'
import type { Walls } from './walls.js'

/** What is here: how many of what, where, and behind which walls. */
export interface InfoReport {
  readonly version: string
  readonly containers: { readonly running: number; readonly paused: number; readonly stopped: number }
  readonly images: number
  /** Folder everything is kept in. */
  readonly home: string
  /** Wall to the reason it cannot be used, or null. */
  readonly walls: Readonly<Record<string, string | null>>
  /** Ids that containers have, and why no more, where they have one. */
  readonly idMap: { readonly kind: IdMap['kind']; readonly ids: number; readonly reason: string | null }
  /** The process that gives ids and memory to native containers, while one lives; `memoryBytes` is what its memory may hold. */
  readonly holder: { readonly pid: number; readonly memoryBytes: number } | null
  readonly kernel: string
  /** As /etc/os-release names it. */
  readonly operatingSystem: string
  /** `x86_64`, as uname(2) says. */
  readonly architecture: string
  readonly processors: number
  readonly memoryBytes: number
  readonly hostname: string
}

/** What is here. @internal */
export async function infoReport({ home, containers, images }: Engine, walls: Walls): Promise<InfoReport> {
  const { map, reason } = await storeIdMap(home)
  const holder = livingHolder(map)
  const statuses = (await containers.list({ all: true })).map(({ status }) => status)
  const paused = statuses.filter((status) => status === 'paused').length
  const running = statuses.filter((status) => status === 'running' || status === 'restarting').length
  const reasons: Record<string, string | null> = {}
  for (const wall of await walls.all()) reasons[wall.name] = await wall.unavailable()
  const { version } = versionReport()
  return {
    version,
    containers: { running, paused, stopped: statuses.length - running - paused },
    images: (await images.list()).length,
    home,
    walls: reasons,
    idMap: { kind: map.kind, ids: map.uids.reduce((sum, { count }) => sum + count, 0), reason },
    holder: holder === null ? null : { pid: pidOf(holder.identity), memoryBytes: holder.memoryBytes },
    kernel: release(),
    operatingSystem: osName(),
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    hostname: hostname(),
  }
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i686', arm: 'armv7l' }

function osName(): string {
  for (const path of ['/etc/os-release', '/usr/lib/os-release'])
    try {
      const name = /^PRETTY_NAME=(?:"([^"]*)"|(.*))$/m.exec(readFileSync(path, 'utf8'))
      if (name !== null) return name[1] ?? name[2] ?? ''
    } catch {
      // The next may be there.
    }
  return 'Linux'
}
