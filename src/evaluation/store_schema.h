// The schema of the result store, format 1 (docs/results.md).
#pragma once

namespace steadyiqa::evaluation {

/// "SteadyIQA results" to the file command: "SIQA".
inline constexpr int kStoreApplicationId = 0x53495141;

inline constexpr const char* kStoreSchema = R"SQL(
CREATE TABLE protocol (
  digest   TEXT PRIMARY KEY,           -- SHA-256 of the document
  name     TEXT NOT NULL,              -- '' of flags without a protocol
  document TEXT NOT NULL               -- JSON, everything resolved
) WITHOUT ROWID;
CREATE TABLE model (
  model         TEXT PRIMARY KEY,      -- digest of file and preprocessing
  sha256        TEXT NOT NULL,         -- of the file
  path          TEXT NOT NULL,         -- as it was first given
  description   TEXT NOT NULL,         -- JSON
  slope         REAL NOT NULL,         -- calibrated = slope * raw + intercept
  intercept     REAL NOT NULL,
  preprocessing TEXT NOT NULL          -- JSON
) WITHOUT ROWID;
CREATE TABLE image_set (
  image_set TEXT PRIMARY KEY,          -- digest of names, labels and sets
  name      TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE member (
  image_set TEXT NOT NULL REFERENCES image_set,
  position  INTEGER NOT NULL,
  image     TEXT NOT NULL,             -- SHA-256 of the file
  name      TEXT NOT NULL,
  mos       REAL,                      -- 0-100, higher is better; NULL: not rated
  PRIMARY KEY (image_set, position)
) WITHOUT ROWID;
CREATE TABLE attack (
  attack     TEXT PRIMARY KEY,         -- digest of the columns below
  name       TEXT NOT NULL,
  parameters TEXT NOT NULL,            -- JSON, all of them
  direction  TEXT NOT NULL,
  unit       TEXT NOT NULL,
  adaptive   TEXT NOT NULL,            -- what it does about purification
  context    TEXT NOT NULL             -- image_set of an attack on sets, else ''
) WITHOUT ROWID;
CREATE TABLE plan (
  plan      TEXT PRIMARY KEY,          -- digest of protocol, model and image set
  protocol  TEXT NOT NULL REFERENCES protocol,
  model     TEXT NOT NULL REFERENCES model,
  image_set TEXT NOT NULL REFERENCES image_set
) WITHOUT ROWID;
CREATE TABLE plan_attack (
  plan     TEXT NOT NULL REFERENCES plan,
  position INTEGER NOT NULL,
  attack   TEXT NOT NULL REFERENCES attack,
  eps_px   REAL NOT NULL,              -- l-infinity budget, [0,1] pixels
  seed     INTEGER NOT NULL,
  PRIMARY KEY (plan, position)
) WITHOUT ROWID;
CREATE TABLE clean (
  model      TEXT NOT NULL REFERENCES model,
  image      TEXT NOT NULL,
  raw_score  REAL NOT NULL,
  score      REAL NOT NULL,            -- calibrated
  grad_l1_px REAL NOT NULL,            -- points per unit of l-infinity, pixels in [0,1]
  PRIMARY KEY (model, image)
) WITHOUT ROWID;
CREATE TABLE bound (
  model       TEXT NOT NULL REFERENCES model,
  image       TEXT NOT NULL,
  eps_px      REAL NOT NULL,
  bound_up    REAL NOT NULL,           -- first-order bound of the score's rise, points
  bound_down  REAL NOT NULL,
  change_up   REAL NOT NULL,           -- of PGD, not rounded, points, in its direction
  change_down REAL NOT NULL,
  PRIMARY KEY (model, image, eps_px)
) WITHOUT ROWID;
CREATE TABLE attacked (
  model              TEXT NOT NULL REFERENCES model,
  image              TEXT NOT NULL,
  attack             TEXT NOT NULL REFERENCES attack,
  eps_px             REAL NOT NULL,
  seed               INTEGER NOT NULL,
  attacked_raw       REAL NOT NULL,    -- after 8-bit rounding
  attacked           REAL NOT NULL,    -- calibrated
  attacked_float     REAL,             -- calibrated, before rounding
  direction          INTEGER NOT NULL, -- +1 up, -1 down, 0 mixed
  linf_levels        REAL NOT NULL,    -- grey levels changed, of 255
  psnr_db            REAL,             -- infinite where nothing changed
  ssim               REAL,
  mse                REAL,
  model_calls        INTEGER NOT NULL,
  own_training_image INTEGER NOT NULL,
  PRIMARY KEY (model, image, attack, eps_px, seed)
) WITHOUT ROWID;
CREATE TABLE sensitivity (
  model TEXT NOT NULL REFERENCES model,
  image TEXT NOT NULL,
  png   TEXT NOT NULL,                 -- base64: |gradient| over the image, small, grey
  PRIMARY KEY (model, image)
) WITHOUT ROWID;
CREATE TABLE picture (                 -- of the few images that an attack moved most: the middle part, at its own size
  model    TEXT NOT NULL REFERENCES model,
  image    TEXT NOT NULL,
  attack   TEXT NOT NULL REFERENCES attack,
  eps_px   REAL NOT NULL,
  seed     INTEGER NOT NULL,
  change   REAL NOT NULL,              -- |attacked - score|, points
  clean    TEXT NOT NULL,              -- base64 PNG
  attacked TEXT NOT NULL,              -- base64 PNG
  PRIMARY KEY (model, attack, eps_px, seed, image)
) WITHOUT ROWID;
CREATE TABLE masking (
  plan   TEXT PRIMARY KEY REFERENCES plan,
  report TEXT NOT NULL                 -- JSON
) WITHOUT ROWID;
-- What is true of a machine only; never part of a comparison of stores.
CREATE TABLE timing (
  model   TEXT NOT NULL,
  image   TEXT NOT NULL,
  attack  TEXT NOT NULL,
  eps_px  REAL NOT NULL,
  seed    INTEGER NOT NULL,
  seconds REAL NOT NULL,
  PRIMARY KEY (model, image, attack, eps_px, seed)
) WITHOUT ROWID;
CREATE TABLE worker (worker INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE claim (
  model  TEXT NOT NULL,
  image  TEXT NOT NULL,
  worker INTEGER NOT NULL,
  PRIMARY KEY (model, image)
) WITHOUT ROWID;
CREATE VIEW result AS                  -- one row for each attacked image of a plan, for reading
  SELECT protocol.name AS protocol, model.path AS model, model.sha256 AS model_sha256, image_set.name AS data,
         member.name AS image, member.mos, attack.name AS attack, attack.direction AS pushed, attack.unit,
         attacked.eps_px, attacked.seed, clean.score, clean.raw_score, clean.grad_l1_px, attacked.attacked,
         attacked.attacked_raw, attacked.attacked_float, attacked.direction, attacked.linf_levels, attacked.psnr_db,
         attacked.ssim, attacked.mse, attacked.model_calls, attacked.own_training_image
  FROM plan JOIN protocol ON protocol.digest = plan.protocol JOIN model USING (model) JOIN image_set USING (image_set)
       JOIN member USING (image_set) JOIN plan_attack USING (plan) JOIN attack USING (attack)
       JOIN attacked ON attacked.model = plan.model AND attacked.image = member.image
            AND attacked.attack = plan_attack.attack AND attacked.eps_px = plan_attack.eps_px
            AND attacked.seed = plan_attack.seed
       JOIN clean ON clean.model = plan.model AND clean.image = member.image
  ORDER BY plan.plan, plan_attack.position, member.position;
)SQL";

/// Tables whose rows are results, in an order in which they can be copied.
inline constexpr const char* kResultTables[] = {"protocol", "model",   "image_set", "member",
                                                "attack",   "plan",    "clean",     "plan_attack",
                                                "bound",    "masking", "attacked",  "sensitivity"};
/// How many pictures are kept of a model under an attack.
inline constexpr int kPictures = 4;

}  // namespace steadyiqa::evaluation
