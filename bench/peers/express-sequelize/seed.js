import { seedDeal } from "../../deals.ts";
import { Deal, Line, Source, sequelize } from "./models.js";

const CHUNK = 2_000;

/** Puts the bench's deals into an empty database, so many at a time. */
export async function seed(count) {
  if (count === 0 || (await Deal.count()) > 0) return;
  for (let from = 0; from < count; from += CHUNK) {
    const deals = Array.from({ length: Math.min(CHUNK, count - from) }, (_, i) => seedDeal(from + i));
    await sequelize.transaction(async (transaction) => {
      await Deal.bulkCreate(deals, { transaction });
      const lines = deals.flatMap((deal, i) =>
        deal.lines.map((line, position) => ({
          ...line,
          id: (from + i) * 3 + position + 1,
          DealId: deal.id,
          position,
          warehouse: "main",
          kind: "goods",
          amount: String(Number((Number(line.quantity) * Number(line.rate)).toFixed(4))),
        })),
      );
      await Line.bulkCreate(lines, { transaction });
      await Source.bulkCreate(
        lines.flatMap((line) => line.sources.map((source) => ({ ...source, LineId: line.id }))),
        { transaction },
      );
    });
  }
}
