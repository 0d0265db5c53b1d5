import { emptyImage, withFiles } from '../src/image/edit.js'
import { hostPlatform } from '../src/image/platform-select.js'
import { bytesSource } from '../src/layer/source.js'
import { parseReference } from '../src/reference/normalize.js'
import { withName } from '../src/store/references.js'
import { Store } from '../src/store/store.js'
import { seededBytes } from './seeded-bytes.js'
import type { Workbench } from './workbench.js'

/** How an image is put together. */
export interface LayeredForm {
  readonly layers: number
  /** Of all layers together; a fifth of it with `--quick`. */
  readonly megabytes: number
}

const QUICK_SHARE = 5

/**
 * Makes `REPOSITORY:1`, of layers of one size, and `REPOSITORY:2`, which differs from it in the last of them, in the store of a run's engine.
 * Once for a repository.
 */
export function layeredImages(workbench: Workbench, repository: string, { layers, megabytes }: LayeredForm): Promise<void> {
  return workbench.once(`images ${repository}`, async () => {
    const store = await Store.open({ root: (await workbench.engine()).home })
    await using ingest = await store.ingest()
    const length = Math.round((megabytes * 1e6) / layers / (workbench.quick ? QUICK_SHARE : 1))
    const file = (number: number) => [{ path: `file-${number}`, contents: () => bytesSource(seededBytes(length, number)) }]
    let image = await emptyImage(ingest, hostPlatform())
    for (let layer = 1; layer < layers; layer++) image = await withFiles(ingest, image, file(layer))
    const ends = [await withFiles(ingest, image, file(layers)), await withFiles(ingest, image, file(layers + 1))]
    await ingest.commit((names) =>
      ends.reduce((all, { descriptor }, at) => withName(all, { ...parseReference(repository), tag: String(at + 1) }, descriptor), names),
    )
  })
}
