import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { assetPath } from '../launcher/installation.js'
import { obstacle, probeHost } from '../launcher/probe.js'
import { Lock } from '../store/lock.js'
import { bootId } from '../store/process-identity.js'

/** What the native wall needs to know of this host. */
export interface Availability {
  /** Why there is no native wall, a sentence with the least fix; null when there is one. */
  readonly obstacle: string | null
  /** Whether a tmpfs here can carry an overlay's writable layer (user xattrs: Linux 6.6). */
  readonly upperInMemory: boolean
}

const asked = new Map<string, Promise<Availability>>()

/**
 * What the probe finds for a folder that is to hold trees. A good answer is kept, in this process and in that folder until the next boot,
 * kernel or launcher, so that a run costs one process and not one for each step of the probe. A bad one is not: who mends the host
 * should see it at once, and a host that was only out of processes or memory has mended itself. A host that turns bad in between is told
 * by the operation that fails.
 */
export function availability(treesDirectory: string): Promise<Availability> {
  const known = asked.get(treesDirectory)
  if (known !== undefined) return known
  const answer = findOut(treesDirectory)
    .catch((error: Error) => ({ obstacle: error.message, upperInMemory: false }))
    .then((found) => {
      if (found.obstacle !== null) asked.delete(treesDirectory)
      return found
    })
  asked.set(treesDirectory, answer)
  return answer
}

interface Kept extends Availability {
  readonly circumstances: string
}

async function findOut(directory: string): Promise<Availability> {
  const path = join(directory, 'probe.json')
  const circumstances = currentCircumstances()
  const kept = () => {
    const found = readKept(path)
    return found?.circumstances === circumstances ? found : null
  }
  return kept() ?? new Lock(join(directory, 'probe.lock')).hold(async () => kept() ?? probe(directory, path, circumstances))
}

/**
 * Under the lock, so that whoever is killed here has kept no answer, and the next to ask probes too and removes what was left: once there is
 * an answer, nothing is left.
 */
async function probe(directory: string, path: string, circumstances: string): Promise<Availability> {
  const findings = await probeHost({ directory })
  const found = {
    obstacle: obstacle(findings),
    upperInMemory: findings.some(({ name, ok }) => name === 'overlay in memory' && ok),
  }
  if (found.obstacle === null) writeFileSync(path, JSON.stringify({ ...found, circumstances } satisfies Kept), { mode: 0o600 })
  return found
}

function readKept(path: string): Kept | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

/** What a probe's answer depends on and what can be had without making anything. */
function currentCircumstances(): string {
  const launcher = statSync(assetPath('launcher'), { throwIfNoEntry: false })
  return [bootId(), release(), launcher?.mtimeMs, launcher?.size, process.geteuid?.()].join(' ')
}
