import type { CliCommand } from '../command.js'
import { addFilterFlag, parseFilters } from '../filter.js'
import { isTemplate, listText } from '../format.js'
import { filterImages, IMAGE_FILTERS, matchesReference } from '../image-filter.js'
import { imageForm, namesOf } from '../image-form.js'

/** `wolffia images`: images in a table. Beyond docker's columns it shows for which platforms each is. */
export const command: CliCommand = {
  usage: '[REPOSITORY[:TAG]]',
  arity: [0, 1],
  configure(parser) {
    parser.option('-a, --all', 'changes nothing: every image is shown').option('--digests', 'show digests')
    addFilterFlag(parser, IMAGE_FILTERS)
    parser
      .option('--format <template>', 'table, json, a Go template, or table and a template: {{.Repository}} {{.Size}}')
      .option('--no-trunc', 'whole ids')
      .option('-q, --quiet', 'ids only')
  },
  async run([wanted], { quiet, trunc, digests, filter, format }) {
    const filters = parseFilters(filter, IMAGE_FILTERS)
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const rows = (await engine.images.list()).flatMap(namesOf)
    const named = rows.filter((row) => wanted === undefined || matchesReference(wanted, row))
    const shown = await filterImages(engine, named, filters)
    const form = imageForm({ whole: trunc === false, digests: digests === true })
    // An id stands for an image, however many names it has.
    const onlyIds = quiet === true && !isTemplate(format)
    const items = onlyIds ? shown.filter(({ image }, at) => shown.findIndex((row) => row.image === image) === at) : shown
    process.stdout.write(await listText(form, items, { format: format as string | undefined, quiet: quiet === true }))
    return 0
  },
}
