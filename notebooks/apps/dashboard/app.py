"""A dashboard over `sales.csv`: pick shops and items, see the trend, the shares and the numbers."""

from pathlib import Path

import pandas as pd
import streamlit as st

CSV = Path(__file__).with_name("sales.csv")


@st.cache_data
def load() -> pd.DataFrame:
    return pd.read_csv(CSV, parse_dates=["week"])


st.set_page_config(page_title="Bakery sales", layout="wide")
st.title("Bakery sales")
sales = load()
with st.sidebar:
    shops = st.multiselect("Shops", sorted(sales["shop"].unique()), default=sorted(sales["shop"].unique()))
    items = st.multiselect("Items", sorted(sales["item"].unique()), default=sorted(sales["item"].unique()))
shown = sales[sales["shop"].isin(shops) & sales["item"].isin(items)]
if shown.empty:
    st.info("Pick at least one shop and one item.")
    st.stop()

weekly = shown.groupby("week")["revenue"].sum()
year, before = weekly.iloc[-52:].sum(), weekly.iloc[-104:-52].sum()
left, middle, right = st.columns(3)
left.metric("Revenue, last 52 weeks", f"€ {year:,.0f}", f"{year / before - 1:+.1%} on the year before")
middle.metric("Best week", f"€ {weekly.max():,.0f}", weekly.idxmax().strftime("%d %b %Y"), delta_color="off")
right.metric("Pieces sold", f"{shown['sold'].sum():,}")
st.subheader("Revenue by week and shop")
st.line_chart(shown.pivot_table(index="week", columns="shop", values="revenue", aggfunc="sum"))
st.subheader("Revenue by item")
st.bar_chart(shown.groupby("item")["revenue"].sum())
st.dataframe(shown.sort_values("week", ascending=False), hide_index=True)
