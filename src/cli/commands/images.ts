import type { ImageSummary } from '../../engine/image-summary.js'
import type { CliCommand } from '../command.js'
import { matchesGlob } from '../glob.js'
import { humanDuration, humanSize, table } from '../output.js'

/** `wolffia images`: images in a table. Beyond docker's columns it shows for which platforms each is. */
export const command: CliCommand = {
  usage: '[REPOSITORY[:TAG]]',
  arity: [0, 1],
  configure(parser) {
    parser
      .option('-a, --all', 'changes nothing: every image is shown')
      .option('-q, --quiet', 'ids only')
      .option('--no-trunc', 'whole ids')
      .option('--digests', 'show digests')
  },
  async run([wanted], { quiet, trunc, digests }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const images = await engine.images.list()
    const idOf = ({ id }: ImageSummary) => (trunc === false ? id : id.slice('sha256:'.length, 'sha256:'.length + 12))
    const rows = images.flatMap((image) => namesOf(image).map((name) => ({ image, ...name })))
    const shown = rows.filter(({ repository, tag }) => wanted === undefined || matches(wanted, repository, tag))
    if (quiet === true) {
      process.stdout.write([...new Set(shown.map(({ image }) => `${idOf(image)}\n`))].join(''))
      return 0
    }
    const headings = ['REPOSITORY', 'TAG', ...(digests === true ? ['DIGEST'] : []), 'IMAGE ID', 'CREATED', 'SIZE', 'PLATFORM']
    const cells = shown.map(({ image, repository, tag }) => [
      repository,
      tag,
      ...(digests === true ? [image.id] : []),
      idOf(image),
      image.createdAt === null ? 'N/A' : `${humanDuration(Date.now() - image.createdAt.getTime())} ago`,
      humanSize(image.sizeBytes),
      image.platforms.map(({ platform }) => [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/')).join(', '),
    ])
    process.stdout.write(table(headings, cells))
    return 0
  },
}

/** By docker's rule: the pattern is of the whole name, with or without the tag. */
function matches(pattern: string, repository: string, tag: string): boolean {
  return [repository, `${repository}:${tag}`].some((name) => matchesGlob(pattern, name))
}

function namesOf({ references }: ImageSummary): readonly { readonly repository: string; readonly tag: string }[] {
  if (references.length === 0) return [{ repository: '<none>', tag: '<none>' }]
  return references.map((reference) => {
    const colon = reference.lastIndexOf(':')
    return colon > reference.lastIndexOf('/')
      ? { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) }
      : { repository: reference, tag: '<none>' }
  })
}
