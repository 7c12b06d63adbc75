import { join } from "node:path";
import { DataTypes, Sequelize } from "sequelize";
import * as sqlite3 from "./sqlite3.js";

export const sequelize = new Sequelize({
  dialect: "sqlite",
  dialectModule: sqlite3,
  storage: join(process.env.DATA_DIR ?? "data", "deals.db"),
  logging: false,
});

const text = () => ({ type: DataTypes.STRING, allowNull: false }); // Sequelize writes the column's name into it
const decimal = text;

export const Deal = sequelize.define(
  "Deal",
  {
    id: { type: DataTypes.UUID, primaryKey: true, defaultValue: DataTypes.UUIDV4 },
    version: { type: DataTypes.INTEGER, allowNull: false, defaultValue: 1 },
    status: { type: DataTypes.STRING, allowNull: false, defaultValue: "open" },
    saleParty: text(),
    country: DataTypes.STRING,
    currency: text(),
    date: { type: DataTypes.DATEONLY, allowNull: false },
  },
  { indexes: [{ fields: ["date", "id"] }, { fields: ["saleParty"] }, { fields: ["status"] }] },
);

export const Line = sequelize.define(
  "Line",
  {
    position: DataTypes.INTEGER,
    product: text(),
    warehouse: text(),
    kind: text(),
    quantity: decimal(),
    rate: decimal(),
    amount: decimal(),
  },
  { timestamps: false, indexes: [{ fields: ["DealId"] }, { fields: ["product"] }] },
);

export const Source = sequelize.define(
  "Source",
  { supplier: text(), quantity: decimal(), cost: decimal() },
  { timestamps: false, indexes: [{ fields: ["LineId"] }] },
);

Deal.hasMany(Line, { as: "lines", onDelete: "CASCADE" });
Line.belongsTo(Deal);
Line.hasMany(Source, { as: "sources", onDelete: "CASCADE" });
Source.belongsTo(Line);
