/** The attacks of the corpus behind each mode: programs for those that run programs, words of the probe for those that run modules. */
import { availableParallelism } from 'node:os'
import { ATTACK_EXITS } from '../../images/attacks/compile.js'
import { GUEST_FOLDER } from '../compile-guest.js'
import type { Cell } from '../matrix/column.js'
import { require } from '../unavailable.js'
import { ATTACKS } from '../wasm-attacks/attack.js'
import { tryAttack } from '../wasm-attacks/verdict.js'
import type { Examiner, Finding } from './protection.js'

const ASPECT = 'attacks held'
/** Of signals: killed for a call that it may not make, and ended because it took too long. */
const KILLED_FOR_A_CALL = 128 + 31
/** Native attacks that get at what an aspect of the prober's asks for. */
const REFUTES: Readonly<Record<string, string>> = {
  'file-handles': "host's files",
  'foreign-processes': "host's processes",
  'no-new-privileges': 'new privileges',
  'user-namespace': 'new user namespaces',
  'user-namespace-clone3': 'new user namespaces',
}

/** One attack and what came of it; `held` null when it could not be tried. */
interface Tried {
  readonly name: string
  readonly held: boolean | null
  /** In a word, where it is more than that. */
  readonly verdict: string
  readonly refutes: string | null
}

/** Says how many of the attacks that could be tried got nowhere. What one reached is out of no aspect's reach, whatever the prober has found. */
export const attackers: Examiner = {
  aspects: [ASPECT],
  async examine(cell, known) {
    const tried = cell.place.attempt === undefined ? await programs(cell) : await modules(cell)
    const counted = tried.filter(({ held }) => held !== null)
    require(counted.length > 0, `no attack could be tried: ${tried[0]?.verdict ?? 'there is none'}`)
    const through = counted.filter(({ held }) => !held)
    const text = `${counted.length - through.length} of ${counted.length}`
    const detail = through.map(({ name, verdict }) => `${name} (${verdict})`).join(', ')
    // What a program reaches in a kernel of its own is not the host's.
    if (cell.place.attempt === undefined && known.get('kernel')?.holds === true)
      return [{ aspect: ASPECT, text: `${text}, own kernel`, holds: null, detail }]
    const all: Finding = {
      aspect: ASPECT,
      text,
      holds: through.length === 0,
      ...(through.length === 0 ? {} : { detail }),
    }
    return [all, ...through.flatMap(({ name, refutes }) => (refutes === null ? [] : [refutation(refutes, name)]))]
  },
}

function refutation(aspect: string, name: string): Finding {
  return { aspect, text: 'ATTACKED', holds: false, detail: name }
}

/** All in one container, each a process of its own: none of them changes anything that another one looks at. */
async function programs({ mode, talk }: Cell): Promise<readonly Tried[]> {
  // Some would change the machine itself if nothing stood between them and its root.
  require(mode !== 'bare' || process.getuid?.() !== 0, 'not tried as root without a wall')
  const { output } = await talk([`${GUEST_FOLDER}/attacks`])
  return [...output.matchAll(/^attack (\S+) (\d+)\r?$/gm)].map(([, name = '', code]) => {
    const exit = Number(code)
    const verdict = exit === KILLED_FOR_A_CALL ? 'held' : (ATTACK_EXITS[exit] ?? `ended with ${exit}`)
    const held = verdict === 'held' ? true : verdict === 'REACHED' ? false : null
    return { name, held, verdict, refutes: REFUTES[name] ?? null }
  })
}

const REACHED = ['ESCAPED', 'no limit', 'host down']

/** A few at a time: none of them is measured. */
async function modules({ workbench, place }: Cell): Promise<readonly Tried[]> {
  const { attempt } = place
  if (attempt === undefined) return []
  const left = [...ATTACKS]
  const found = new Map<string, Tried>()
  const work = async () => {
    for (let attack = left.shift(); attack !== undefined; attack = left.shift()) {
      const verdict = await tryAttack(workbench, attack, attempt)
      const held = verdict === 'held' ? true : REACHED.includes(verdict) ? false : null
      found.set(attack.name, { name: attack.name, held, verdict, refutes: attack.refutes ?? null })
    }
  }
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work))
  return ATTACKS.flatMap(({ name }) => found.get(name) ?? [])
}
