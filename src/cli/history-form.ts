import type { ImageStep } from '../engine/images.js'
import type { ListForm } from './format.js'
import { humanDuration, humanSize } from './output.js'

const CREATED_BY_WIDTH = 45

/** How the steps of an image are listed: docker's placeholders of `docker history`. `whole` texts are not cut. */
export function historyForm({ whole, human }: { readonly whole: boolean; readonly human: boolean }): ListForm<ImageStep> {
  return {
    typeName: '*formatter.historyContext',
    columns: ['ID', human ? 'CreatedSince' : 'CreatedAt', 'CreatedBy', 'Size', 'Comment'],
    quiet: 'ID',
    fields: {
      ID: {
        heading: 'IMAGE',
        value: ({ id }) => (id === null ? '<missing>' : whole ? id : id.slice('sha256:'.length, 'sha256:'.length + 12)),
      },
      CreatedSince: { heading: 'CREATED', value: ({ createdAt }) => sinceText(createdAt, human) },
      CreatedAt: { heading: 'CREATED AT', value: ({ createdAt }) => momentText(createdAt) },
      CreatedBy: { heading: 'CREATED BY', value: ({ createdBy }) => cut(createdBy.replaceAll('\t', ' '), whole) },
      Size: { heading: 'SIZE', value: ({ sizeBytes }) => (human ? humanSize(sizeBytes) : String(sizeBytes)) },
      Comment: { heading: 'COMMENT', value: ({ comment }) => comment },
    },
  }
}

function sinceText(createdAt: Date | null, human: boolean): string {
  if (createdAt === null) return 'N/A'
  return human ? `${humanDuration(Date.now() - createdAt.getTime())} ago` : momentText(createdAt)
}

function momentText(createdAt: Date | null): string {
  return createdAt?.toISOString().replace(/\.\d+Z$/, 'Z') ?? 'N/A'
}

function cut(text: string, whole: boolean): string {
  const characters = [...text]
  return whole || characters.length <= CREATED_BY_WIDTH ? text : `${characters.slice(0, CREATED_BY_WIDTH - 1).join('')}…`
}
