"""Progress on Streamlit pages."""
