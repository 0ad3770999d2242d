import httpx
import polars as pl

# Task definitions


def get_urls():
    return [f"https://api.local/contents/{i}" for i in range(10)]


def download(url):
    return httpx.get(url).json()


def transform(data):
    return pl.DataFrame(data)


# Data pipeline


def pipeline():
    # 1. Get a list of URLs
    urls = get_urls()

    # 2. Download data from each url
    data = []
    for url in urls:
        data.append(download(url))

    # 3. Process all data
    return transform(data)


if __name__ == "__main__":
    pipeline()
