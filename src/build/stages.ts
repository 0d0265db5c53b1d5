/** Which stages of a Dockerfile a build needs: the one it is for, and those that it stands on or copies from. */
import { EngineError } from '../errors.js'
import { type Expansion, expandWord } from '../image/expand.js'
import { nearest } from '../reference/nearest.js'
import type { Dockerfile, FromInstruction } from './instructions.js'
import { locate } from './source.js'

/** The platform words that BuildKit gives to every Dockerfile. */
export type PlatformArguments = ReadonlyMap<string, string>

/** What a build is to do. */
export interface StagePlan {
  /** Numbers of stages in the order of the Dockerfile; the last one becomes the image. */
  readonly needed: readonly number[]
  /** Names in FROM, by stage, with variables replaced. */
  readonly images: readonly string[]
}

/** Plans a build, whose FROMs are read with `expansion`. Throws INVALID_ARGUMENT for a target that is not there. */
export function planStages(dockerfile: Dockerfile, target: string | undefined, expansion: Expansion): StagePlan {
  const { stages } = dockerfile
  const images = stages.map(({ from }) => expandFrom(from, (text) => expandWord(text, expansion)))
  const last = target === undefined ? stages.length - 1 : targetNumber(dockerfile, target)
  const needed = new Set<number>()
  const pending = [last]
  for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
    if (needed.has(number)) continue
    needed.add(number)
    const base = stageNamed(dockerfile, images[number] ?? '', number)
    if (base !== null) pending.push(base)
    for (const step of stages[number]?.steps ?? []) {
      const from = step.kind === 'copy' && step.from !== null ? stageOf(dockerfile, step.from, number) : null
      if (from !== null) pending.push(from)
    }
  }
  return { needed: [...needed].sort((left, right) => left - right), images }
}

function expandFrom({ image, source }: FromInstruction, expand: (text: string) => string): string {
  try {
    const name = expand(image)
    if (name === '')
      throw new EngineError('INVALID_ARGUMENT', `base name (${image}) should not be blank`, {
        hint: `Give it a value: --build-arg ${image.replace(/\W/g, '')}=…, or a default in an ARG before the first FROM.`,
      })
    return name
  } catch (error) {
    throw locate(error, source)
  }
}

/** The stage before number `below` that has this name; null when none has. */
export function stageNamed({ stages }: Dockerfile, name: string, below: number): number | null {
  const number = stages.findLastIndex(({ from }, place) => place < below && from.stage === name.toLowerCase())
  return number < 0 ? null : number
}

/** As {@link stageNamed}, or by its number, as COPY --from takes it. */
export function stageOf(dockerfile: Dockerfile, name: string, below: number): number | null {
  if (/^\d+$/.test(name) && Number(name) < below) return Number(name)
  return stageNamed(dockerfile, name, below)
}

function targetNumber(dockerfile: Dockerfile, target: string): number {
  const number = stageOf(dockerfile, target, dockerfile.stages.length)
  if (number !== null) return number
  const names = dockerfile.stages.flatMap(({ from }) => from.stage ?? [])
  const near = nearest(target.toLowerCase(), names)
  throw new EngineError('INVALID_ARGUMENT', `target stage ${JSON.stringify(target)} could not be found in ${dockerfile.file}`, {
    hint:
      near.length > 0
        ? `Did you mean ${near.join(' or ')}?`
        : names.length > 0
          ? `Its stages: ${names.join(', ')}`
          : 'Its stages have no names.',
    data: { target },
  })
}
