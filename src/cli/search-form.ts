import type { FoundRepository } from '../registry/search.js'
import type { ListForm } from './format.js'
import { ellipsis, printable } from './output.js'

const DESCRIPTION_WIDTH = 45

/** A tag of a repository. */
export interface FoundTag {
  readonly name: string
  readonly tag: string
}

/** How what a registry has is listed: docker's placeholders of `docker search`, and podman's Index. */
export function searchForm({ whole }: { readonly whole: boolean }): ListForm<FoundRepository> {
  return {
    typeName: '*formatter.searchContext',
    columns: ['Name', 'Description', 'StarCount', 'IsOfficial'],
    quiet: 'Name',
    fields: {
      Name: { heading: 'NAME', value: ({ name }) => name },
      Description: {
        heading: 'DESCRIPTION',
        value: ({ description }) => {
          const line = printable(description.replace(/\s+/g, ' ').trim())
          return whole ? line : ellipsis(line, DESCRIPTION_WIDTH)
        },
      },
      StarCount: { heading: 'STARS', value: ({ stars }) => String(stars) },
      IsOfficial: { heading: 'OFFICIAL', value: ({ isOfficial }) => (isOfficial ? '[OK]' : '') },
      IsAutomated: { heading: 'AUTOMATED', value: ({ isAutomated }) => (isAutomated ? '[OK]' : '') },
      Index: { heading: 'INDEX', value: ({ registry }) => registry },
    },
  }
}

/** How tags are listed: podman's columns of `podman search --list-tags`. */
export const TAG_FORM: ListForm<FoundTag> = {
  typeName: '*formatter.tagContext',
  columns: ['Name', 'Tag'],
  quiet: 'Tag',
  fields: {
    Name: { heading: 'NAME', value: ({ name }) => name },
    Tag: { heading: 'TAG', value: ({ tag }) => tag },
  },
}
