"""A line through points: store measurements in Postgres, let Postgres fit them, and predict.

The fit is ordinary least squares by SQL's own aggregates (`regr_slope`, `regr_intercept`, `regr_r2`).
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, FiniteFloat

SCHEMA = """
CREATE TABLE IF NOT EXISTS points (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    x double precision NOT NULL,
    y double precision NOT NULL
)
"""
FIT = """
SELECT count(*) AS points, regr_slope(y, x) AS slope, regr_intercept(y, x) AS intercept, regr_r2(y, x) AS r2
FROM points
"""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncConnectionPool(os.environ["DATABASE_URL"], open=False, kwargs={"row_factory": dict_row}) as pool:
        async with pool.connection() as connection:
            await connection.execute(SCHEMA)
        app.state.pool = pool
        yield


async def database(request: Request) -> AsyncIterator[AsyncConnection]:
    async with request.app.state.pool.connection() as connection:
        yield connection


Database = Annotated[AsyncConnection, Depends(database)]
app = FastAPI(title="A line through points", lifespan=lifespan)


class Point(BaseModel):
    x: FiniteFloat
    y: FiniteFloat


class Fit(BaseModel):
    points: int
    slope: float | None
    intercept: float | None
    r2: float | None


class Prediction(BaseModel):
    x: float
    y: float


@app.get("/health")
async def health(connection: Database) -> dict[str, str]:
    await connection.execute("SELECT 1")
    return {"status": "ok"}


@app.post("/points", status_code=201)
async def add(points: list[Point], connection: Database) -> Fit:
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO points (x, y) VALUES (%s, %s)", [(point.x, point.y) for point in points])
    await connection.commit()  # before the answer: who has it may ask at once for what follows from the points
    return await fit(connection)


@app.get("/fit")
async def fit(connection: Database) -> Fit:
    row = await (await connection.execute(FIT)).fetchone()
    return Fit.model_validate(row)


@app.get("/predict")
async def predict(x: FiniteFloat, connection: Database) -> Prediction:
    line = await fit(connection)
    if line.slope is None or line.intercept is None:
        raise HTTPException(409, "a line needs points at two different x")
    return Prediction(x=x, y=line.slope * x + line.intercept)
