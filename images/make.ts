/**
 * Builds the sample images of this folder: each subfolder has a Dockerfile, and a recipe that makes what it copies.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuildOptions } from '../src/engine/build-options.js'
import { EngineError } from '../src/errors.js'
import { assetPath } from '../src/launcher/installation.js'
import { formatPlatform } from '../src/oci/platform.js'
import { python } from './python/recipe.js'
import type { Recipe } from './recipe.js'
import { thief } from './thief/recipe.js'

export { compileThief } from './thief/compile.js'
export { type Attempt, type Outcome, parseThiefReport, type ThiefReport } from './thief/report.js'

const RECIPES = { thief, python } as const satisfies Record<string, Recipe>
const FINGERPRINT_LABEL = 'wolffia.recipe'

/** Names of the images that can be made. */
export type SampleImage = keyof typeof RECIPES

/** What became of one image. */
export interface MadeImage {
  readonly name: SampleImage
  /** `made`; `current`, when it was there already; `impossible` here, with the reasons in `missing`. */
  readonly state: 'made' | 'current' | 'impossible'
  /** A sentence for each platform that could not be made. */
  readonly missing: readonly string[]
}

/** The part of an engine that is used here. */
export interface ImageHolder {
  readonly images: {
    build(options: BuildOptions): Promise<unknown>
    inspect(reference: string): Promise<{ readonly process: { readonly labels: Readonly<Record<string, string>> } }>
  }
}

/**
 * Makes images that are missing or older than their recipe, in the engine's own store.
 * Rejects with CONFLICT when the name belongs to an image that was not made here.
 */
export async function makeImages(engine: ImageHolder, names: readonly SampleImage[]): Promise<readonly MadeImage[]> {
  const made: MadeImage[] = []
  for (const name of names) made.push(await makeImage(engine, name))
  return made
}

async function makeImage(engine: ImageHolder, name: SampleImage): Promise<MadeImage> {
  const directory = await mkdtemp(join(tmpdir(), 'wolffia-images-'))
  try {
    const present = await fingerprintOf(engine, name)
    const dockerfile = join(assetPath('.'), '../images', name, 'Dockerfile')
    const { platforms, buildArgs, missing, ...prepared } = await RECIPES[name].prepare(directory)
    if (platforms.length === 0) return { name, state: present === null ? 'impossible' : 'current', missing }
    const fingerprint = createHash('sha256')
      .update(prepared.fingerprint)
      .update(await readFile(dockerfile))
      .digest('hex')
    if (present === fingerprint) return { name, state: 'current', missing }
    await engine.images.build({
      context: directory,
      dockerfile,
      tags: [name],
      platform: platforms.map(formatPlatform).join(','),
      buildArgs,
      labels: { [FINGERPRINT_LABEL]: fingerprint },
    })
    return { name, state: 'made', missing }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The recipe's fingerprint in the image of that name, null when there is no such image. */
async function fingerprintOf(engine: ImageHolder, name: string): Promise<string | null> {
  try {
    const fingerprint = (await engine.images.inspect(name)).process.labels[FINGERPRINT_LABEL]
    if (fingerprint !== undefined) return fingerprint
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'IMAGE_NOT_FOUND') return null
    throw error
  }
  throw new EngineError('CONFLICT', `there is an image ${name} that is not the sample of that name`, {
    hint: `Give it another name: wolffia tag ${name} my-${name}, then wolffia rmi ${name}.`,
  })
}
