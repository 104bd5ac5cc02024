/** The most uses that one ticket may have. */
export const MAX_USES = 1000
