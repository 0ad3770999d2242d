from concurrent.futures import ThreadPoolExecutor

import httpx
import polars as pl


def get_urls():
    return [f"https://api.local/contents/{i}" for i in range(10)]


def download(url):
    return httpx.get(url).json()


def transform(data):
    return pl.DataFrame(data)


def pipeline():
    urls = get_urls()

    # Download data concurrently
    with ThreadPoolExecutor() as executor:
        data = list(executor.map(download, urls))

    return transform(data)
