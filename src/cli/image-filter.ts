import type { Engine } from '../engine/engine.js'
import type { ImageSummary } from '../engine/image-summary.js'
import { type Filters, hasLabels, invalidFilter, type KnownFilters } from './filter.js'
import { matchesGlob } from './glob.js'
import type { ListedImage } from './image-form.js'

/** Filters of `docker images`. */
export const IMAGE_FILTERS: KnownFilters = {
  reference: null,
  label: null,
  dangling: null,
  before: null,
  since: null,
  until: 'Name an image instead: before=NAME.',
}

const TRUE = ['1', 't', 'true']
const FALSE = ['0', 'f', 'false']

/** Rows that every filter wants; one that is about an image's name leaves the image's other names out. */
export async function filterImages(engine: Engine, rows: readonly ListedImage[], filters: Filters): Promise<readonly ListedImage[]> {
  let left = rows
  for (const [name, values] of filters) {
    const judge = await judgeOf(engine, name, values)
    const verdicts = await Promise.all(left.map(judge))
    left = left.filter((_row, at) => verdicts[at] === true)
  }
  return left
}

/** By docker's rule: the pattern is of the whole name, with or without the tag. */
export function matchesReference(pattern: string, { repository, tag }: ListedImage): boolean {
  return [repository, `${repository}:${tag}`].some((name) => matchesGlob(pattern, name))
}

async function judgeOf(engine: Engine, name: string, values: readonly string[]): Promise<(row: ListedImage) => boolean | Promise<boolean>> {
  switch (name) {
    case 'reference':
      return (row) => values.some((pattern) => matchesReference(pattern, row))
    case 'label':
      return async ({ image }) => hasLabels(await labelsOf(engine, image), values)
    case 'dangling': {
      for (const value of values)
        if (![...TRUE, ...FALSE].includes(value.toLowerCase())) throw invalidFilter(name, value, 'It is dangling=true or dangling=false.')
      const wanted = values.map((value) => TRUE.includes(value.toLowerCase()))
      return ({ image }) => wanted.includes(image.references.length === 0)
    }
    default: {
      const times = await Promise.all(values.map(async (value) => timeOf(await engine.images.inspect(value))))
      return ({ image }) => times.every((time) => (name === 'before' ? timeOf(image) < time : timeOf(image) > time))
    }
  }
}

function timeOf({ createdAt }: ImageSummary): number {
  return createdAt?.getTime() ?? 0
}

/** Labels of an image, by its first platform; none for one that cannot be read. */
export async function labelsOf(engine: Engine, { id, platforms }: ImageSummary): Promise<Readonly<Record<string, string>>> {
  const [first] = platforms
  if (first === undefined) return {}
  const { os, architecture, variant } = first.platform
  const platform = [os, architecture, variant].filter(Boolean).join('/')
  const details = await engine.images.inspect(id, { platform }).catch(() => null)
  return details?.process.labels ?? {}
}
