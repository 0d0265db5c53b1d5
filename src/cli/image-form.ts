import type { ImageSummary } from '../engine/image-summary.js'
import type { ListForm } from './format.js'
import { humanDuration, humanSize, timestamp } from './output.js'

/** A row of `images`: an image under one of its names. */
export interface ListedImage {
  readonly image: ImageSummary
  readonly repository: string
  readonly tag: string
}

const UNNAMED = '<none>'
const NOT_COUNTED = 'N/A'

/** How images are listed: docker's placeholders of `docker images`, and the platforms. `whole` ids are not cut. */
export function imageForm({ whole, digests }: { readonly whole: boolean; readonly digests: boolean }): ListForm<ListedImage> {
  return {
    typeName: '*formatter.imageContext',
    columns: ['Repository', 'Tag', ...(digests ? ['Digest'] : []), 'ID', 'CreatedSince', 'Size', 'Platform'],
    quiet: 'ID',
    fields: {
      ID: { heading: 'IMAGE ID', value: ({ image: { id } }) => (whole ? id : id.slice('sha256:'.length, 'sha256:'.length + 12)) },
      Repository: { heading: 'REPOSITORY', value: ({ repository }) => repository },
      Tag: { heading: 'TAG', value: ({ tag }) => tag },
      Digest: { heading: 'DIGEST', value: ({ image: { id } }) => id },
      CreatedSince: { heading: 'CREATED', value: ({ image: { createdAt } }) => sinceText(createdAt) },
      CreatedAt: { heading: 'CREATED AT', value: ({ image: { createdAt } }) => (createdAt === null ? NOT_COUNTED : timestamp(createdAt)) },
      Size: { heading: 'SIZE', value: ({ image: { sizeBytes } }) => humanSize(sizeBytes) },
      Containers: { heading: 'CONTAINERS', value: () => NOT_COUNTED },
      SharedSize: { heading: 'SHARED SIZE', value: () => NOT_COUNTED },
      UniqueSize: { heading: 'UNIQUE SIZE', value: () => NOT_COUNTED },
      Platform: { heading: 'PLATFORM', value: ({ image }) => platformsText(image) },
    },
  }
}

/** An image under each of its names; one without a name is shown as docker shows it. */
export function namesOf(image: ImageSummary): readonly ListedImage[] {
  if (image.references.length === 0) return [{ image, repository: UNNAMED, tag: UNNAMED }]
  return image.references.map((reference) => {
    // An image that was pulled by its digest has no tag.
    const [repository = '', digest] = reference.split('@')
    if (digest !== undefined) return { image, repository, tag: UNNAMED }
    const colon = reference.lastIndexOf(':')
    return colon > reference.lastIndexOf('/')
      ? { image, repository: reference.slice(0, colon), tag: reference.slice(colon + 1) }
      : { image, repository: reference, tag: UNNAMED }
  })
}

function sinceText(createdAt: Date | null): string {
  return createdAt === null ? NOT_COUNTED : `${humanDuration(Date.now() - createdAt.getTime())} ago`
}

function platformsText({ platforms }: ImageSummary): string {
  return platforms.map(({ platform }) => [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/')).join(', ')
}
