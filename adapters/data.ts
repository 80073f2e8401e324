/** What an operator gives to a receiver or program of their own, and Holdfast only passes on. */
import { z } from 'zod'

const longestData = 16_384

/** A JSON object, handed over as it is. `what`: a short phrase for the documentation's table. */
export function dataSchema(what: string): z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodJSONSchema>> {
  return z
    .record(z.string(), z.json())
    .refine((value) => JSON.stringify(value).length <= longestData, `at most ${longestData} characters as JSON`)
    .optional()
    .describe(what)
}
