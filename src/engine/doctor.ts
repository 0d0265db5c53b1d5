import type { Walls } from './walls.js'

/** One thing that was looked at on this host. */
export interface Finding {
  /** `user-namespaces`, `seccomp`, `cgroup` … */
  readonly name: string
  readonly ok: boolean
  /** What was found, a sentence. */
  readonly detail: string
  /** The least that mends it, when it is not ok. */
  readonly fix?: string
}

/** What `doctor` finds: which walls stand here, and what is missing. */
export interface Diagnosis {
  readonly findings: readonly Finding[]
  /** Wall to the reason it cannot be used, or null. */
  readonly runtimes: Readonly<Record<string, string | null>>
}

/** Tries what the walls need, by doing it. */
export async function diagnose(walls: Walls): Promise<Diagnosis> {
  const runtimes: Record<string, string | null> = {}
  for (const runtime of await walls.all()) runtimes[runtime.name] = await runtime.unavailable()
  return { findings: [], runtimes }
}
