import type { Finding } from '../launcher/probe.js'
import type { Walls } from './walls.js'

/** What `doctor` finds: which walls stand here, and what is missing. */
export interface Diagnosis {
  /** Each step of the native wall, tried in order; what follows a step that nothing can do without is not tried. */
  readonly findings: readonly Finding[]
  /** Wall to the reason it cannot be used, or null. */
  readonly runtimes: Readonly<Record<string, string | null>>
}

/** Tries what the walls need, by doing it below the folder that will hold containers. */
export async function diagnose(walls: Walls, home: string): Promise<Diagnosis> {
  const { probeHost } = await import('../launcher/probe.js')
  const findings = await probeHost({ directory: home })
  const runtimes: Record<string, string | null> = {}
  for (const runtime of await walls.all()) runtimes[runtime.name] = await runtime.unavailable()
  return { findings, runtimes }
}
